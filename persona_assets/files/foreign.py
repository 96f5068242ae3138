"""Files that are no text and no format read here, by their first bytes: for reasons that name what came."""

import codecs

from persona_assets.text.charset import utf16_of

_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF-", "a PDF file"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"RIFF", "RIFF media"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 audio"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a Windows program"),
    (b"wOF", "a web font"),
    (b"\xd0\xcf\x11\xe0", "an Office file"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_TAR = 257, b"ustar"
_UTF16 = "text in UTF-16"
_REMEDIES = {
    **dict.fromkeys(("a zip archive", "a tar archive", "a 7z archive", "a RAR archive"), "unpack it first"),
    **dict.fromkeys(("bzip2 data", "xz data"), "decompress it first, or pack it as gz or zst"),
    **dict.fromkeys(("gzip data", "zstd data"), "it is packed twice, decompress it once"),
    **dict.fromkeys(("an Avro file", "an Arrow file", "an ORC file", "an SQLite database"), "export it as Parquet"),
    _UTF16: "convert it to UTF-8",
}
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def foreign(head: bytes) -> str | None:
    """What a file or body is that begins so, as `a PNG image`; None where it may be text."""
    place, mark = _TAR
    if head[place:].startswith(mark):
        return "a tar archive"
    start = head[:1024].lstrip()
    for signature, what in _SIGNATURES:
        if start.startswith(signature):
            return what
    if not start.startswith(_WIDE) and start.count(0) * 20 > len(start) and not utf16_of(head):
        return "binary data (zero bytes)"
    return None


def unread(head: bytes) -> str:
    """What a file is that is of no format read here and begins so, and what can be done."""
    if what := foreign(head) or (_UTF16 if head.startswith(_WIDE) or utf16_of(head) else ""):
        return f"{what}: {_REMEDIES[what]}" if what in _REMEDIES else what
    begins = f"begins {head[:24]!r}"
    return f"{begins}: plain text is named .txt, a table .csv or .tsv" if _is_prose(head) else begins


def _is_prose(head: bytes) -> bool:
    """Whether it is text and not markup or JSON."""
    if head.lstrip().startswith((b"<", b"[", b"{")):
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)
