"""Files that are no text and no format read here, by their first bytes: for reasons that name what came."""

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
ARCHIVES = frozenset({"a zip archive", "a tar archive", "a 7z archive", "a RAR archive"})
PACKED = frozenset({"bzip2 data", "xz data"})


def foreign(head: bytes) -> str | None:
    """What a file or body is that begins so, as `a PNG image`; None where it may be text."""
    place, mark = _TAR
    if head[place:].startswith(mark):
        return "a tar archive"
    start = head[:1024].lstrip()
    for signature, what in _SIGNATURES:
        if start.startswith(signature):
            return what
    if not start.startswith((b"\xff\xfe", b"\xfe\xff")) and start.count(0) * 20 > len(start):
        return "binary data (zero bytes)"
    return None
