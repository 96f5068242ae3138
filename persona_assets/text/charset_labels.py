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

_ASCII = bytes(range(128))
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


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


def utf8_share(body: bytes) -> float:
    """Share of whole characters in what is beyond ASCII, were the bytes UTF-8, 0 to 1; 0 where nothing is beyond it.

    A byte that belongs to no whole one counts as one.
    """
    rest, whole = _UTF8.subn(b"", body)
    broken = len(rest.translate(None, _ASCII))
    return whole / (whole + broken) if whole else 0.0
