import gzip

import pytest

from persona_assets.files.foreign import unread


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"PK\x03\x04", "a zip archive: unpack it first"),
        (b"\xfd7zXZ\x00", "xz data: decompress it first, or pack it as gz or zst"),
        (gzip.compress(b"{}"), "gzip data: it is packed twice, decompress it once"),
        (b"ARROW1\0\0", "an Arrow file: export it as Parquet"),
        ('[{"text": "the mill"}]'.encode("utf-16"), "text in UTF-16: convert it to UTF-8"),
        ('{"text": "the mill"}\n'.encode("utf-16-le"), "text in UTF-16: convert it to UTF-8"),
        (
            "Мельница.".encode()[:-1],
            "begins b'\\xd0\\x9c\\xd0\\xb5\\xd0\\xbb\\xd1\\x8c\\xd0\\xbd\\xd0\\xb8\\xd1\\x86\\xd0\\xb0': "
            "plain text is named .txt, a table .csv or .tsv",
        ),
        (b'["a", "b"]', 'begins b\'["a", "b"]\''),
        (b"<?xml version='1.0'?><rss>", "begins b\"<?xml version='1.0'?><rs\""),
        (b"\xf1\xc97\xb9\x1f\xea", "begins b'\\xf1\\xc97\\xb9\\x1f\\xea'"),
        (b"%PDF-1.4", "a PDF file"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_can_be_done(head: bytes, said: str) -> None:
    assert unread(head) == said
