"""Words of a text as a reader counts them: in Chinese its characters, with words in other letters between them."""

import re
import unicodedata

LANGUAGES = ("en", "zh", "ru")
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSEEN = re.compile("[\u0300\u0301\u00ad\u200b-\u200f\u2060\ufeff\ufe0e\ufe0f]")  # stress marks, soft hyphens, joiners
# An address is one word, so is a number with its separators, and what hyphens and apostrophes hold together.
_WORD = re.compile(rf"https?://[^\s{HAN}]+|[{HAN}]|[^\W_{HAN}]+(?:(?:['’\-‑]|(?<=\d)[.,](?=\d))[^\W_{HAN}]+)*")
_TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
_SPACE = re.compile(r"\s+")
_CAPITAL_WORD = re.compile(r"[^\W\d_]{2,}")
_CURLY = str.maketrans(dict.fromkeys("’‘‛", "'") | dict.fromkeys("“”„‟", '"'))


def normal(text: str) -> str:
    """A text in NFKC without stress marks and characters that nobody sees: full-width digits are digits."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def folded(text: str) -> str:
    """A text for comparing: normal form, no case, ё as е, straight quotation marks, single spaces."""
    return _SPACE.sub(" ", normal(text).casefold().replace("ё", "е").translate(_CURLY)).strip()


def word_list(text: str) -> list[str]:
    """The words in order; each Chinese character is one, and so are a number and an address."""
    return _WORD.findall(normal(text))


def times(text: str, word: str, language: str) -> int:
    """How often a word stands in a text: as a whole word in this form, without regard to case; in Chinese anywhere."""
    where, what = folded(text), folded(word)
    if language == "zh":
        return where.count(what)
    return len(re.findall(rf"(?<![^\W_]){re.escape(what)}(?![^\W_])", where))


def letter_count(text: str, letter: str) -> int:
    """How often a letter or character stands in a text, capital or not."""
    return folded(text).count(folded(letter))


def starts_with(text: str, word: str) -> bool:
    """Whether a word is the first one, whatever marks stand before it; in Chinese another may follow at once."""
    tokens, wanted = _TOKEN.findall(folded(text[:4096])), _TOKEN.findall(folded(word))
    return bool(wanted) and tokens[: len(wanted)] == wanted


def ends_with(text: str, word: str) -> bool:
    """Whether a word is the last one, whatever marks stand behind it."""
    tokens, wanted = _TOKEN.findall(folded(_end(text))), _TOKEN.findall(folded(word))
    return bool(wanted) and tokens[-len(wanted) :] == wanted


def last_words(text: str, count: int = 4) -> str:
    """The last few words, to be shown."""
    return " ".join(_TOKEN.findall(normal(_end(text)))[-count:])


def first_words(text: str, count: int = 4) -> str:
    """The first few words, to be shown."""
    return " ".join(_TOKEN.findall(normal(text[:4096]))[:count])


def _end(text: str) -> str:
    """Enough of the end of a text to hold its last words; marks behind them are left out."""
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
    return text[max(0, end - 4096) : end]


def capital_words(text: str) -> int:
    """How many words of two letters or more are in capitals."""
    return sum(1 for word in _CAPITAL_WORD.findall(normal(text)) if word.isupper())
