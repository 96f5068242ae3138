"""How much of a text stands as no writing does, because its bytes were read in another character set than they were in.

`look` knows how letters stand together in any language, not words; `misread` asks the detector about the rest.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from persona_assets.text.charset_labels import detected, read, utf8_share, written

MAX_SHARE = 0.12  # of the characters beyond ASCII that stand strangely
MIN_STRANGE = 8  # characters: fewer are slips
MIN_OF_TEXT = 0.005  # of all characters: less is a slip in a text that is sound otherwise
MIN_UTF8 = 0.75  # of what is beyond ASCII in a text written back: as much is whole if it was UTF-8
MIN_WRITTEN = 30  # characters of words, from which on the detector is asked
MIN_WRITTEN_BACK = 0.85  # of these, in a set that it may have been read in
MIN_SCRIPT = 0.3  # of these, in a script whose sets are tried
_HEAD = 100_000  # characters of a text, and of its words with characters beyond ASCII
_LOOKED_AT = 4_000
_WRITTEN = 400
_WRITTEN_FIRST = 120

_LOWER = "a-zß-öø-ÿšœžąćęłńśźżğışěřůčďťňőűăâîșț"
_UPPER = "À-ÖØ-ÞŠŒŽŸĄĆĘŁŃŚŹŻĞİŞĚŘŮČĎŤŇŐŰ"
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_OTHER = "\u0370-\u03ff\u0400-\u052f"  # Greek, Cyrillic
_FAR = "\u0590-\u06ff\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff61-\uff9f"  # scripts that may touch Latin
_LETTER = _LATIN + _OTHER
_HAN = "\u3400-\u9fff"
_BOX = "\u2500-\u259f⌠⌡"
_SIGNS = f"¡-©«¬®-³µ¶¸-¿×÷‚„†‡‰‹›€™№ˇ˘˙˛˝{_BOX}"
# No characters of a text. Controls in the place of windows-1252's quotes and dashes are, for they are read as such.
_NONE = "[\ufffd\x7f-\x84\x86-\x90\x98-\x9f\ue000-\uf8ff]"
_TAIL = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"

# Ways in which no writing stands, each with classes of characters of which a text has to have one each for it to be
# there. A text is searched for those that can.
_WAYS = (
    ((_NONE,), f"{_NONE}+"),
    # UTF-8 read in windows-1252, -1251, -1250, KOI8-R, IBM866 or Mac Cyrillic: a lead and its tails.
    (("[\xc2-\xf4]", _TAIL), f"[\xc2-\xdf]{_TAIL}|[\xe0-\xef]{_TAIL}{{2}}|[\xf0-\xf4]{_TAIL}{{3}}"),
    (
        ("[РС]",),
        "[РС][\u0400-\u040f\u0450-\u045f\u0490\u0491°±²³µ¶·№»¼-¿‚„…†‡€‰‹‘’“”•–—™›\xa4\xa6\xa7\xa9\xab-\xae]",
    ),
    (("в", "[Ђ„]"), "в[Ђ„][^\\s\\w]"),
    (("[ĂÄĹ]",), "[ĂÄĹ][€‚„…†‡‰Š‹ŚŤŽŹ‘’“”•–—™š›śťžźˇ˘Ł¤Ą¦§¨©Ş«¬®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż]"),
    ((f"[{_BOX}≤≥∂≈√ƒ∆Њњ]",), f"[пя][{_BOX}≈≤≥°²·÷©ё]|[╨╤][А-п{_BOX}]|[–—][≤µ∂ЈЄєЇїЉљЊњјЅ¬√ƒ≈∆±≥]"),
    (("[锟锘鈥]",), "锟斤拷|锘\\?|鈥[檚渉滅]"),
    # Two scripts in a word.
    ((f"[{_LATIN}]", f"[{_OTHER}]"), f"[{_LATIN}][{_OTHER}]+|[{_OTHER}]+(?=[{_LATIN}])"),
    (("[a-z]", f"[{_FAR}]"), f"(?<=[a-z])[{_FAR}]{{1,2}}(?=[a-z])|(?<=[a-z][a-z])[{_HAN}](?=[\\s.,;])"),
    # A capital after a small letter, both Cyrillic, or the capital accented.
    (("[а-яѐ-џ]", "[А-ЯЀ-ЅЇ-Џ]"), "[а-яѐ-џ][А-ЯЀ-ЅЇ-Џ]+"),
    ((f"[{_LOWER}]", f"[{_UPPER}]"), f"[{_LOWER}][{_UPPER}]"),
    # Runs of accented letters and signs, which words of other scripts give; the Polish word for yellow is sound.
    (("[\xa1-\xff\u0100-\u0192]",), "(?!żół[ćty])[\xa1-\xff\u0100-\u0192\u02c6-\u02dd‚„†‡‰‹›€™]{4,}"),
    # A capital before a figure, where another set has a currency's sign.
    (("[ŁÀ-Ü]", "[0-9]"), "(?<![^\\s(])[ŁÀ-Ü](?=[0-9])"),
    # Signs within a word.
    ((f"[{_SIGNS}]",), f"(?<=[{_LETTER}])[{_SIGNS}]+(?=[{_LETTER}])|(?<=[а-я])€"),
    # Half-width Japanese next to Chinese, which Shift_JIS has of other sets.
    (("[\uff61-\uff9f]",), f"[{_HAN}\xa1-\xff][\uff61-\uff9f]+|[\uff61-\uff9f]+(?=[{_HAN}])"),
)
_NEEDED = [[re.compile(one) for one in needed] for needed, _ in _WAYS]
_MARKED = re.compile(r"[^\x00-\x7f\s]+")
# Letters by which alphabets of Cyrillic differ; those of several together are of none.
_RARE_CYRILLIC = re.compile("[Ѐ-Џѐ-џҐґ]")
_ALPHABETS = tuple(map(frozenset, ("ЂЋЉЊЏЈђћљњџјЀѐЍѝ", "ЃЌЉЊЏЈЅѓќљњџјѕЀѐЍѝ", "ҐЄІЇґєії", "ЎІўі", "Ёё")))
# Sets that UTF-8 is read in, beside those above.
_READERS = (
    *("gb18030", "big5", "euc-kr", "shift_jis", "macintosh", "x-mac-cyrillic", "ibm866", "koi8-r", "iso-8859-5"),
    *("windows-1253", "windows-1255", "windows-1256", "windows-874"),
)
# Scripts of which several sets hold the letters, and the sets that text may have been read in.
_SCRIPTS = (
    (re.compile("[\u0400-\u04ff]"), ("windows-1251", "koi8-r", "iso-8859-5", "ibm866")),
    (re.compile(f"[{_HAN}]"), ("gb18030", "big5")),
    (re.compile("[\uac00-\ud7a3]"), ("euc-kr",)),
    (re.compile("[\u0370-\u03ff]"), ("windows-1253",)),
    (re.compile("[\u0590-\u05ff]"), ("windows-1255",)),
    (re.compile("[\u0600-\u06ff]"), ("windows-1256",)),
    (re.compile("[\u0e00-\u0e7f]"), ("windows-874",)),
)


@dataclass(frozen=True, slots=True)
class Look:
    """Characters beyond ASCII, and those among them that stand strangely."""

    marked: int
    strange: int

    @property
    def share(self) -> float:
        """Strange ones among those beyond ASCII, 0 to 1."""
        return min(self.strange / self.marked, 1.0) if self.marked else 0.0

    @property
    def garbled(self) -> bool:
        """Whether the text was read in another character set than it is in."""
        return self.strange >= MIN_STRANGE and self.share > MAX_SHARE


def garbled(text: str) -> str | None:
    """What shows that a text was read in another character set than it is in, or None for sound text."""
    if text.isascii():
        return None
    seen = look(text)
    if seen.garbled and seen.strange > MIN_OF_TEXT * min(len(text), _LOOKED_AT):
        return f"{seen.strange} of {seen.marked} characters beyond ASCII stand as in no writing"
    if found := misread(text):
        return f"it is {found[1]} that was read as {found[0]}"
    return None


def look(text: str) -> Look:
    """How the words with characters beyond ASCII stand, the first 4,000 characters of them."""
    if text.isascii():
        return Look(0, 0)
    text = _words(text)[:_LOOKED_AT]
    marked = sum(map(len, _MARKED.findall(text)))
    distinct = "".join(set(text))
    ways = _search(tuple(all(one.search(distinct) for one in needed) for needed in _NEEDED))
    strange = sum(map(len, ways.findall(text))) if ways else 0
    return Look(marked, strange + _of_no_alphabet(text))


def _words(text: str) -> str:
    return " ".join(word for word in text[:_HEAD].split() if not word.isascii())


@cache
def _search(possible: tuple[bool, ...]) -> re.Pattern[str] | None:
    ways = [way for (_, way), on in zip(_WAYS, possible, strict=True) if on]
    return re.compile("|".join(ways)) if ways else None


def _of_no_alphabet(text: str) -> int:
    rare = Counter(_RARE_CYRILLIC.findall(text))
    if not rare:
        return 0
    total = rare.total()
    return total - max(sum(n for letter, n in rare.items() if letter in known) for known in _ALPHABETS)


def misread(text: str) -> tuple[str, str] | None:
    """(set that the text was read in, set that it is in), where each letter may stand but the words are none.

    Written back in a set that it may have been read in, sound text is that set's to the detector too; Cyrillic letters
    in the place of others, or one Chinese character in that of another, are not.
    """
    words = _words(text)[:_WRITTEN]
    if len(words) < MIN_WRITTEN:
        return None
    for name in _READERS:
        if (body := _written_back(words[:_WRITTEN_FIRST], name)) and utf8_share(body) > MIN_UTF8:
            return name, "utf-8"
    for script, names in _SCRIPTS:
        if len(script.findall(words)) < MIN_SCRIPT * len(words):
            continue
        for name in names:
            if body := _written_back(words, name):
                found = detected(body, utf8=True)
                other = read(body, found)
                if not _alike(read(body, name), other) and not look(other).garbled:
                    return name, found
    return None


def _written_back(words: str, name: str) -> bytes | None:
    body = written(words, name)
    return body if len(read(body, name)) > MIN_WRITTEN_BACK * len(words) else None


def _alike(one: str, other: str) -> bool:
    same = sum(a == b for a, b in zip(one, other, strict=False))
    return len(one) == len(other) and same > 0.9 * len(one)
