"""A window over decompressed bytes that may break off and start again: what every record reader reads from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the stream broke: offset in the decompressed bytes, reason code and what was seen."""

    offset: int
    reason: str
    detail: str


class ByteStream:
    """Bytes in stretches; a stretch ends at the end of the file or at a `Fault`.

    Positions are relative to the first byte held, `offset` is that byte's place in the decompressed stream. Only what
    a reader asks for is held, so memory does not grow with the file.
    """

    def __init__(self, pieces: Iterator[bytes | Fault]) -> None:
        """Read from `pieces`: blocks of bytes, and faults between stretches."""
        self.offset = 0
        self._pieces = pieces
        self._held = bytearray()
        self._fault: Fault | None = None
        self._stretch_over = False
        self._over = False

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, at: slice) -> bytes:
        return bytes(self._held[at])

    def ensure(self, size: int) -> bool:
        """Whether the stretch has `size` more bytes, which are then held."""
        while len(self._held) < size and not self._stretch_over:
            piece = next(self._pieces, None)
            if piece is None:
                self._stretch_over = self._over = True
            elif isinstance(piece, Fault):
                self._stretch_over, self._fault = True, piece
            else:
                self._held += piece
        return len(self._held) >= size

    def search(self, pattern: re.Pattern[bytes], start: int, limit: int) -> tuple[int, int] | None:
        """Span of the first match at or after `start` that begins before `limit`, reading on as needed.

        A pattern is at most 64 bytes wide, so that this much beyond `limit` is enough to see.
        """
        while True:
            # A match that touches the end of what is held may be cut off or grow, unless the stretch is over.
            found = pattern.search(self._held, start, limit + 65)
            span = found.span() if found else None
            del found  # a live match would lock the buffer against growing
            if span and (span[1] < len(self._held) or self._stretch_over):
                return span if span[0] < limit else None
            if self._stretch_over or len(self._held) > limit + 64:
                return None
            # Doubling keeps the repeated search linear in the bytes read.
            self.ensure(min(max(2 * len(self._held), 1 << 16), limit + 65))

    def startswith(self, pattern: re.Pattern[bytes], at: int = 0, width: int = 64) -> bool:
        """Whether `pattern` matches at position `at`, given up to `width` bytes from there."""
        self.ensure(at + width)
        return pattern.match(self._held, at) is not None

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or what is left of the stretch."""
        self.ensure(size)
        data = bytes(self._held[:size])
        self._drop(len(data))
        return data

    def skip(self, size: int) -> int:
        """Pass over `size` bytes without holding them; returns how many there were."""
        left = size
        while left and self.ensure(1):
            left -= self._drop(min(left, len(self._held)))
        return size - left

    def skip_over(self, pattern: re.Pattern[bytes], limit: int) -> None:
        """Pass over bytes until `pattern` (at most 64 bytes wide) matches at the front, or the stretch ends."""
        while True:
            span = self.search(pattern, 0, limit)
            if span:
                self._drop(span[0])
                return
            if not self.ensure(limit + 65):
                self._drop(len(self._held))
                return
            self._drop(limit - 1)  # the byte before a match stays in sight of a pattern that looks back

    def skip_any(self, pattern: re.Pattern[bytes]) -> None:
        """Pass over what `pattern` (a repeated class of bytes, which may match nothing) takes at the front."""
        while self.ensure(1):
            found = pattern.match(self._held)
            end = found.end() if found else 0
            del found
            self._drop(end)
            if self._held:
                return

    @property
    def broken(self) -> bool:
        """Whether this stretch ended at a fault that has not been told yet."""
        return self._stretch_over and self._fault is not None

    def take_fault(self) -> Fault | None:
        """The fault that ended this stretch, once; None where it ended with the file or has been told."""
        fault, self._fault = self._fault, None
        return fault if self._stretch_over else None

    def resume(self) -> bool:
        """Go on with the stretch after a fault; False at the end of the file. What is held is dropped."""
        self._drop(len(self._held))
        if self._over:
            return False
        self._stretch_over = False
        return self.ensure(1) or not self._over

    def _drop(self, size: int) -> int:
        del self._held[:size]
        self.offset += size
        return size
