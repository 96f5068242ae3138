"""Bytes of a web page to text: what it declares, where the bytes bear that out.

No declaration is taken at its word: servers declare one set for whatever they hold.
"""

import codecs
import re
from dataclasses import dataclass

from persona_assets.text.charset_labels import detected, named, read, utf8_share
from persona_assets.text.mojibake import Look, look

MIN_UTF8_SHARE = 0.8  # of what is beyond ASCII: as much is whole in what is read as UTF-8
MIN_DECLARED_SHARE = 0.5  # where it is declared
MIN_SAMPLE = 6  # bytes beyond ASCII from which on the detector outdoes a declaration
MARGIN = 0.01  # share of strange characters by which a reading has to be better than one that comes before it
MIN_HZ = 20  # characters beyond ASCII in HZ that is not declared: its escapes stand in programs too
_SAMPLE = 3_072  # bytes for the detector
_META_BYTES = 4096  # browsers look for <meta charset> in the first 1,024 bytes; some pages open with long comments
_UTF16_SHARE = 0.08  # of the bytes at even or at odd places that are zero
_UTF16_ZEROS = 4  # of them at least: one may end a text
_META = re.compile(
    rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})"
    rb"|<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.\-]{2,40})",
    re.I,
)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.S)
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)
# Sets that the detector knows, those together between which a declaration is the better witness.
_KIN = (
    frozenset(
        {"windows-1250", "windows-1252", "windows-1254", "windows-1257", "windows-1258", "iso-8859-2", "iso-8859-4"}
    ),
    frozenset({"koi8-r", "koi8-u"}),
    frozenset({"gbk", "gb18030"}),
    frozenset({"windows-1253", "iso-8859-7"}),
    frozenset({"windows-1255", "iso-8859-8", "iso-8859-8-i"}),
    *(frozenset({name}) for name in ("windows-1251", "iso-8859-5", "ibm866", "windows-1256", "iso-8859-6")),
    *(frozenset({name}) for name in ("windows-874", "big5", "euc-kr", "euc-jp", "shift_jis")),
    *(frozenset({name}) for name in ("utf-8", "utf-16le", "utf-16be")),
)
# What the detector does not know, and takes for a set that it does.
_TAKEN_FOR = {
    "windows-1251": ("x-mac-cyrillic",),
    "windows-1252": ("macintosh", "cp850"),
    "windows-1250": ("cp852", "mac-latin2"),
    "ibm866": ("x-mac-cyrillic",),
}
_ASCII = bytes(range(128))
_STRETCH = re.compile(rb"[\x80-\xff][^<>]*")  # no second byte of a character is an angle bracket


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as text, and the standard's name, in lower case, of the character set that it was read in."""

    text: str
    charset: str


def decode(body: bytes, content_type: str = "") -> Decoded | tuple[str, str]:
    """Text of a page's bytes and its character set, or ("undecodable", what was tried).

    Order: byte order mark; zeros as UTF-16 has them; escapes of seven-bit sets; UTF-8, unless much of what is beyond
    ASCII is broken in it; what HTTP header and page declare and what the detector says, whichever reads best.
    Single bad bytes become U+FFFD. Any bytes will do.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return Decoded(read(body[len(mark) :], name), name)
    if wide := utf16_of(body):  # of English all bytes are ASCII
        return Decoded(read(body, wide), wide)
    header, page = _from_header(content_type), _from_page(body)
    if body.isascii():
        return _seven_bits(body, header or page)
    declared = _in_order(header, page)
    if (text := _as_utf8(body, "utf-8" in declared)) is not None:
        return Decoded(text, "utf-8")
    return _best(body, [name for name in declared if name != "utf-8"])


def utf16_of(body: bytes) -> str | None:
    """UTF-16 without a byte order mark, "utf-16le" or "utf-16be", where bytes at every other place are zero, or None.

    Letters of other scripts have no zeros, but the spaces and tags between them do.
    """
    head = body[:2048]
    low, high = head[1::2].count(0), head[0::2].count(0)
    least = max(_UTF16_ZEROS, _UTF16_SHARE * len(head) / 2)
    if max(low, high) < least or min(low, high) > max(low, high) / 8:
        return None
    name = "utf-16le" if low > high else "utf-16be"
    return None if look(read(head, name)).garbled else name


def _from_header(content_type: str) -> str | None:
    found = _HEADER.search(content_type)
    return named(found[1]) if found else None


def _from_page(body: bytes) -> str | None:
    head = body[:_META_BYTES]
    found = _META.search(_COMMENT.sub(b"", head) if b"<!--" in head else head)
    name = named((found[1] or found[2]).decode("ascii")) if found else None
    return "utf-8" if name and name.startswith("utf-16") else name  # it could be read, so it is not UTF-16


def _seven_bits(body: bytes, declared: str | None) -> Decoded:
    """ASCII, which most sets hold, or one of those that escape to others."""
    if b"\x1b$)C" in body:
        return Decoded(read(body, "iso-2022-kr"), "iso-2022-kr")
    if b"\x1b$" in body or b"\x1b(" in body:
        return Decoded(read(body, "iso-2022-jp"), "iso-2022-jp")
    if b"~{" in body and b"~}" in body:
        text = read(body, "hz-gb-2312")
        beyond = len(text) - len(text.encode("ascii", "ignore"))
        if declared == "hz-gb-2312" or (beyond >= MIN_HZ and "\ufffd" not in text):
            return Decoded(text, "hz-gb-2312")
    return Decoded(body.decode("ascii"), "utf-8")


def _in_order(header: str | None, page: str | None) -> list[str]:
    """What is declared, the likelier first: servers say Latin-1 of whatever they hold, the page's author chose."""
    names = [page, header] if header == "windows-1252" else [header, page]
    return list(dict.fromkeys(name for name in names if name))


def _as_utf8(body: bytes, declared: bool) -> str | None:
    """The text where it is UTF-8, whole, cut within its last character, or with few broken sequences."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        if utf8_share(_sample(body)) < (MIN_DECLARED_SHARE if declared else MIN_UTF8_SHARE):
            return None
    return codecs.getincrementaldecoder("utf-8")("replace").decode(body)


def _best(body: bytes, declared: list[str]) -> Decoded | tuple[str, str]:
    sample = _sample(body)
    guess = detected(sample)
    order = [*declared, guess] if declared and not _outdone(declared[0], guess, sample) else [guess, *declared]
    few = len(sample.translate(None, _ASCII)) < MIN_SAMPLE
    order = list(dict.fromkeys([*order, *(("windows-1252",) if few else _TAKEN_FOR.get(guess, ()))]))
    looks = dict[str, Look]()
    for name in order:
        looks[name] = look(read(sample, name))
        if looks[name].share <= MARGIN:
            break  # nothing that comes after it can be better by the margin
    least = min(one.share for one in looks.values())
    name = next(name for name, one in looks.items() if one.share <= least + MARGIN)
    if looks[name].garbled:
        share = f"{looks[name].share:.0%} of what is beyond ASCII stands as no writing does"
        return "undecodable", f"read as {name}, {share}{f'; declared {declared[0]}' if declared else ''}"
    return Decoded(read(body, name), name)


def _outdone(declared: str, guess: str, sample: bytes) -> bool:
    """Whether the detector is likelier right: it saw enough, and says a set that is no kin of the declared one.

    Among kin it is believed where the declared set is what servers say of anything.
    """
    if len(sample.translate(None, _ASCII)) < MIN_SAMPLE:
        return False
    return declared == "windows-1252" or any(declared in kin and guess not in kin for kin in _KIN)


def _sample(body: bytes) -> bytes:
    """Stretches of text with bytes beyond ASCII, without tags."""
    out = bytearray()
    for found in _STRETCH.finditer(body):
        start = found.start()
        out += body[body.rfind(b">", max(start - 100, 0), start) + 1 or max(start - 100, 0) : found.end()] + b" \n"
        if len(out) > _SAMPLE:
            break
    return bytes(out[:_SAMPLE])
