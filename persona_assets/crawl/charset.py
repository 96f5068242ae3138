"""Bytes of a web page to text: what it declares, unless the bytes say otherwise."""

import codecs
import re

# Below this share of undecodable places a declared charset is taken at its word: pages are often cut or patched.
MAX_BAD_SHARE = 0.005
_META_BYTES = 4096  # browsers look for <meta charset> in the first 1,024 bytes; some pages open with long comments
_META = re.compile(
    rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})|<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.\-]{2,40})",
    re.I,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Declared under these names, pages use the superset (as the WHATWG encoding standard reads them).
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
}
_GUESSES = ("gb18030", "cp1251", "koi8-r")
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
MAX_WESTERN_RUN = 1.7  # mean length of runs of high bytes
_GUESS_BYTES = 1 << 16


def decode(body: bytes, content_type: str = "") -> str:
    """Text of a page's bytes; what cannot be decoded becomes U+FFFD, for the quality rules to judge.

    Order: byte order mark; UTF-8 where the bytes are valid UTF-8 with non-ASCII in it, which no other charset gives by
    chance; the HTTP header; the page's own declaration; the likeliest of a few common charsets.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body.decode(name, "replace")
    declared = [name for name in (_from_header(content_type), _from_page(body)) if name]
    if body.isascii() and not declared:
        return body.decode("ascii")
    if not body.isascii() and _is_utf8(body):
        return body.decode("utf-8", "replace")
    for name in declared:
        text = body.decode(name, "replace")
        if text.count("\ufffd") <= MAX_BAD_SHARE * len(text):
            return text
    return body.decode(_guess(body), "replace")


def _from_header(content_type: str) -> str | None:
    found = _CHARSET.search(content_type)
    return _known(found[1]) if found else None


def _from_page(body: bytes) -> str | None:
    found = _META.search(body, 0, _META_BYTES)
    return _known((found[1] or found[2]).decode("ascii")) if found else None


def _known(name: str) -> str | None:
    """The codec of a declared charset, or None where Python has no text codec of that name."""
    try:
        info = codecs.lookup(name)
        b"a".decode(info.name, "replace")  # rot13, hex and the like are codecs, but not of text
    except (LookupError, UnicodeError, ValueError):
        return None
    return _SUPERSETS.get(info.name, info.name)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end >= len(body) - 3 and not body[: error.start].isascii()  # cut within its last character
    return True


def _guess(body: bytes) -> str:
    """The charset under which the non-ASCII part looks most like common Chinese, Russian or Western text."""
    sample = body[:_GUESS_BYTES]
    runs = _HIGH_BYTES.findall(sample)
    if not runs:
        return "utf-8"
    scores = {name: _plausibility(sample.decode(name, "replace"), name) for name in _GUESSES}
    scores["utf-8"] = 1 - 2 * sample.decode("utf-8", "replace").count("\ufffd") / len(runs)
    # Western text has single accented letters between ASCII ones, the others have whole words of high bytes.
    scores["cp1252"] = 0.95 if sum(map(len, runs)) < MAX_WESTERN_RUN * len(runs) else 0.3
    return max(scores, key=lambda name: scores[name])


def _plausibility(text: str, name: str) -> float:
    """Share, among the non-ASCII characters, of those that common text in this charset is made of."""
    letters = [character for character in text if character > "\x7f"]
    if name == "gb18030":
        good = sum(_is_common_hanzi(c) or "\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uffef" for c in letters)
    else:
        good = sum("\u0430" <= c <= "\u044f" for c in letters)  # read under the wrong one, case is inverted
    return good / max(len(letters), 1)


def _is_common_hanzi(character: str) -> bool:
    """Whether it is in level 1 of GB 2312, the 3,755 common characters, which random pairs of bytes mostly miss."""
    try:
        encoded = character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return len(encoded) == 2 and 0xB0 <= encoded[0] <= 0xD7
