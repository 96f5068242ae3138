"""Names of character sets, what is read and written in them, and the detector.

Labels are those of the WHATWG encoding standard, which say what pages mean by them; Python's codecs read and write. The
detector is chardetng, Firefox's, which knows the sets that pages without a declaration are in.
"""

import codecs
import re
from functools import cache

_PYTHON = {  # where Python's codec is another than the standard's, or none has the standard's name
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "iso-2022-jp": "iso2022_jp_3",
    "hz-gb-2312": "hz",
}
_SAME = {"cp874": "windows-874", "x-user-defined": "windows-1252"}
_ESCAPED = ("hz-gb-2312", "iso-2022-kr")  # browsers refuse these for what scripts do with them
# Sets of Python's that the standard leaves out and pages still name.
_MORE = re.compile(r"cp\d{3,4}|mac-\w+|utf-32(?:-[bl]e)?|hp-roman8|johab|koi8-t|kz1048|ptcp154|iso2022_\w+")


@cache
def named(label: str) -> str | None:
    """The set's name in the standard, in lower case, or in Python where the standard has none; None if neither has."""
    import webencodings  # type: ignore[import-untyped]

    label = label.lower()
    if label in _ESCAPED:
        return label
    if found := webencodings.lookup(label):
        name = found.name.lower()
        return None if name == "replacement" else _SAME.get(name, name)
    try:
        name = codecs.lookup(label).name
    except (LookupError, UnicodeError, ValueError):
        return None
    return _SAME.get(name, name) if _MORE.fullmatch(name) else None


def read(body: bytes, name: str) -> str:
    """Text of bytes in a set by its name; U+FFFD where they are none of its characters."""
    return body.decode(_PYTHON.get(name, name), "replace")


def written(text: str, name: str) -> bytes:
    """Bytes of a text in a set; characters that it lacks are left out."""
    return text.encode(_PYTHON.get(name, name), "ignore")


def detected(sample: bytes, *, utf8: bool = False) -> str:
    """The set that a sample is most likely in, by its name; UTF-8 only if asked for."""
    from chardetng_py import EncodingDetector  # type: ignore[import-untyped]

    detector = EncodingDetector()
    detector.feed(sample, last=True)
    return named(detector.guess(tld=None, allow_utf8=utf8)) or "windows-1252"


def utf8_share(body: bytes, text: str | None = None) -> float:
    """Share of whole characters among what is beyond ASCII in bytes read as UTF-8, 0 to 1; 0 where nothing is.

    `text`: what they were read as, where it is known; U+FFFD in the bytes themselves is a whole character.
    """
    text = body.decode("utf-8", "replace") if text is None else text
    broken = text.count("\ufffd")
    if broken:
        broken -= body.count(b"\xef\xbf\xbd")
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    return 1 - broken / beyond if beyond else 0.0
