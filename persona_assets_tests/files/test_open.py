import gzip
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from persona_assets.files.bytestream import ByteStream
from persona_assets.files.open import open_crawl_file

WORDS = [f"line {number} of the part\n".encode() * 200 for number in range(5)]


def _stretches(path: Path) -> list[tuple[bytes, str | None]]:
    """Every stretch of a file with the reason it ended for."""
    found = []
    with open_crawl_file(path) as opened:
        stream: ByteStream = opened.stream
        while True:
            stream.ensure(1 << 30)
            fault = stream.take_fault()
            found.append((stream.take(len(stream)), fault.reason if fault else None))
            if not stream.resume():
                return found


def _whole(path: Path) -> tuple[bytes, list[str]]:
    stretches = _stretches(path)
    return b"".join(data for data, _ in stretches), [reason for _, reason in stretches if reason]


@pytest.mark.parametrize(
    ("name", "compress"),
    [("gz", gzip.compress), ("zst", zstandard.ZstdCompressor().compress), ("lz4", lz4.frame.compress), ("", bytes)],
)
def test_every_frame_of_a_file_is_read_whatever_its_name(tmp_path: Path, name: str, compress: object) -> None:
    path = tmp_path / "misnamed.parquet"
    path.write_bytes(b"".join(compress(part) for part in WORDS))
    with open_crawl_file(path) as opened:
        assert opened.compression == name
    assert _whole(path) == (b"".join(WORDS), [])


def test_a_skippable_zstd_frame_at_the_front_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.ZstdCompressor().compress(WORDS[0]))
    assert _whole(path) == (WORDS[0], [])


def test_the_dictionary_of_a_warc_zst_file_is_used(tmp_path: Path) -> None:
    dictionary = zstandard.ZstdCompressionDict(WORDS[0])
    frame = zstandard.ZstdCompressor(dict_data=dictionary).compress(WORDS[0] + WORDS[1])
    content = zstandard.ZstdCompressor().compress(dictionary.as_bytes())
    path = tmp_path / "file"
    path.write_bytes(b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content + frame)
    assert _whole(path) == (WORDS[0] + WORDS[1], [])


def test_a_broken_dictionary_costs_the_frames_and_says_so(tmp_path: Path) -> None:
    dictionary = b"\x37\xa4\x30\xec" + bytes(40)
    path = tmp_path / "x.warc.zst"
    frame = zstandard.ZstdCompressor().compress(WORDS[0])
    path.write_bytes(b"\x5d\x2a\x4d\x18" + len(dictionary).to_bytes(4, "little") + dictionary + frame)
    assert _whole(path)[0] == WORDS[0]


def test_zero_bytes_between_gzip_members_are_padding(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(WORDS[0]) + bytes(5000) + gzip.compress(WORDS[1]) + bytes(10))
    assert _whole(path) == (WORDS[0] + WORDS[1], [])


def test_a_clipped_gz_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes((gzip.compress(WORDS[0]) + gzip.compress(WORDS[1]))[:-30])
    data, faults = _whole(path)
    assert data.startswith(WORDS[0]) and len(data) > len(WORDS[0])
    assert faults == ["truncated_stream"]


def test_members_after_a_corrupt_one_are_read(tmp_path: Path) -> None:
    members = [bytearray(gzip.compress(part, mtime=0)) for part in WORDS]
    members[2][10:16] = b"\xff" * 6
    path = tmp_path / "file"
    path.write_bytes(b"".join(members))
    stretches = _stretches(path)
    assert stretches[0][1] == "corrupt_stream"
    assert stretches[-1] == (WORDS[3] + WORDS[4], None)
    assert stretches[0][0].startswith(WORDS[0] + WORDS[1])


def test_the_text_of_a_member_with_a_wrong_checksum_is_kept_and_the_fault_told(tmp_path: Path) -> None:
    member = bytearray(gzip.compress(WORDS[0]))
    member[-8] ^= 1
    path = tmp_path / "file"
    path.write_bytes(bytes(member) + gzip.compress(WORDS[1]))
    assert _whole(path) == (WORDS[0] + WORDS[1], ["corrupt_stream"])


def test_bytes_after_the_last_member_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(WORDS[0]) + b"not gzip at all" * 900)
    assert _whole(path) == (WORDS[0], ["corrupt_stream"])


@pytest.mark.parametrize("compress", [zstandard.ZstdCompressor().compress, lz4.frame.compress])
def test_clipped_zst_and_lz4_are_told(tmp_path: Path, compress: object) -> None:
    path = tmp_path / "file"
    path.write_bytes((compress(WORDS[0]) + compress(WORDS[1]))[:-10])
    data, faults = _whole(path)
    assert data.startswith(WORDS[0])
    assert faults == ["truncated_stream"]


def test_a_bomb_is_read_in_small_blocks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(zstandard.ZstdCompressor(level=19).compress(bytes(200_000_000)))
    with open_crawl_file(path) as opened:
        opened.stream.ensure(1)
        assert len(opened.stream) < 64_000_000
        assert opened.stream.skip(10**12) == 200_000_000
