"""Opens plain, gz, zst and lz4 files by content, and reads on after damage wherever another frame can be found."""

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import lz4.frame
import zstandard

from persona_assets.files.bytestream import ByteStream, Fault

PLAIN_BYTES = 1 << 18  # one read of a plain file
# One feed of a decompressor. Small, since it bounds both what a hostile frame can expand to at once (zstd reaches
# 32,000:1, so 32 MB) and what is lost of the readable bytes before damage.
FEED_BYTES = 1 << 10
_SCAN_BYTES = 1 << 12
_SKIPPABLE = rb"[\x50-\x5f]\x2a\x4d\x18"
_WARC_DICTIONARY = b"\x5d\x2a\x4d\x18"  # skippable frame of the IIPC convention for .warc.zst
_MAX_DICTIONARY = 16 << 20


class _Frame(Protocol):
    """The decompressor of one gzip member, zstd frame or lz4 frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True)
class Codec:
    """A compression: its name, how a frame starts, how one is opened, and what its decompressor raises."""

    name: str
    start: re.Pattern[bytes]
    frame: Callable[[], _Frame]
    errors: tuple[type[Exception], ...]


@dataclass(frozen=True)
class Opened:
    """An open file: its bytes, the name of its compression ("" where plain), the file below, and its own name."""

    stream: ByteStream
    compression: str
    raw: BinaryIO
    name: str = ""


@contextmanager
def open_crawl_file(path: Path) -> Iterator[Opened]:
    """Open a file by its first bytes.

    Raises:
        OSError: it cannot be opened or read at all.
    """
    with path.open("rb", buffering=1 << 18) as raw:
        head = raw.read(8)
        raw.seek(0)
        codec = _codec(head, raw)
        pieces = _decompressed(raw, codec) if codec else _plain(raw)
        yield Opened(ByteStream(pieces), codec.name if codec else "", raw, path.name)


def _codec(head: bytes, raw: BinaryIO) -> Codec | None:
    if head.startswith(b"\x1f\x8b\x08"):
        start = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
        return Codec("gz", start, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), (zlib.error,))
    if head.startswith(b"\x04\x22\x4d\x18"):
        start = re.compile(rb"\x04\x22\x4d\x18|" + _SKIPPABLE, re.DOTALL)
        return Codec("lz4", start, lz4.frame.LZ4FrameDecompressor, (RuntimeError,))
    start = re.compile(rb"\x28\xb5\x2f\xfd|" + _SKIPPABLE, re.DOTALL)
    if start.match(head):
        decompressor = zstandard.ZstdDecompressor(dict_data=_dictionary(head, raw), max_window_size=1 << 27)
        return Codec("zst", start, decompressor.decompressobj, (zstandard.ZstdError,))
    return None


def _dictionary(head: bytes, raw: BinaryIO) -> zstandard.ZstdCompressionDict | None:
    """The dictionary that stands at the front of some .warc.zst files, itself perhaps compressed."""
    size = int.from_bytes(head[4:8], "little")
    if not head.startswith(_WARC_DICTIONARY) or size > _MAX_DICTIONARY:
        return None
    raw.seek(8)
    data = raw.read(size)
    raw.seek(0)
    try:
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                data = reader.read(_MAX_DICTIONARY)
        found = zstandard.ZstdCompressionDict(data)
        zstandard.ZstdDecompressor(dict_data=found)  # looks at it, which making it does not
        return found
    except zstandard.ZstdError:
        return None  # every frame then fails and says so


def _plain(raw: BinaryIO) -> Iterator[bytes]:
    while block := raw.read(PLAIN_BYTES):
        yield block


def _decompressed(raw: BinaryIO, codec: Codec) -> Iterator[bytes | Fault]:
    """Blocks of all frames; after damage, a fault and then whatever further frames hold."""
    offset = 0  # in the decompressed stream
    told = False  # whether this damage has been told: one fault, however many false starts follow it
    at = 0
    while True:
        start, garbage = _next_frame(raw, codec, at)
        if garbage and not told:
            told = True
            yield Fault(offset, "corrupt_stream", garbage)
        if start is None:
            return
        at, before, frame = start, offset, codec.frame()
        problem: Fault | None = None
        raw.seek(at)
        while not frame.eof:
            block = raw.read(FEED_BYTES)
            if not block:
                problem = Fault(offset, "truncated_stream", f"{codec.name} frame at byte {start} is cut off at {at}")
                break
            try:
                data = frame.decompress(block)
            except codec.errors as error:
                # Not for a false start after damage that has been told: there may be millions of them.
                if (offset > before or not told) and (rescued := _rescued(raw, codec, start, at)):
                    offset += len(rescued)
                    yield rescued
                problem = Fault(offset, "corrupt_stream", f"{codec.name} frame at byte {start}, near {at}: {error}")
                at = max(at, start + 1)  # the next frame may start within this very block
                break
            at += len(block)
            if data:
                offset += len(data)
                yield data
        if problem is None:
            at -= len(frame.unused_data or b"")
            told = False
        elif offset > before or not told:
            told = True
            yield problem


def _rescued(raw: BinaryIO, codec: Codec, start: int, at: int) -> bytes:
    """What the block at `at` gives before the byte that fails, by reading the frame again and that block bytewise."""
    frame = codec.frame()
    raw.seek(start)
    while start < at:
        start += len(block := raw.read(min(FEED_BYTES, at - start)))
        frame.decompress(block)
    rescued = bytearray()
    try:
        for byte in raw.read(FEED_BYTES):
            rescued += frame.decompress(bytes((byte,)))
    except codec.errors:
        pass  # the fault itself is told by the caller
    return bytes(rescued)


def _next_frame(raw: BinaryIO, codec: Codec, at: int) -> tuple[int | None, str]:
    """Position of the next frame at or after `at` (None: no more), and what stands in between that is not padding."""
    raw.seek(at)
    overlap = b""
    position, garbage = at, ""
    while block := raw.read(_SCAN_BYTES):
        window = overlap + block
        found = codec.start.search(window)
        end = found.start() if found else len(window)
        junk = window[:end].lstrip(b"\0")  # gzip allows zero bytes after a member
        if junk and not garbage:
            garbage = f"bytes from {position + end - len(junk)} on are no {codec.name} frame"
        if found:
            return position + end, garbage
        overlap = window[-3:]
        position += len(window) - len(overlap)
    return None, garbage
