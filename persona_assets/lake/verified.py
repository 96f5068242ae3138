"""Whether a file is still what was written. Digests are compared once per process, not at each read."""

import hashlib

from fsspec import AbstractFileSystem


def file_digest(fs: AbstractFileSystem, path: str) -> str:
    """blake2b-128 of a file's bytes, read in pieces; `ids.digest` for what does not fit in memory."""
    hasher = hashlib.blake2b(digest_size=16)
    with fs.open(path, "rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


_SOUND: set[tuple[str, str, str]] = set()  # file, its state (size, times, ...) and digest, as they were verified


def is_sound(fs: AbstractFileSystem, path: str, digest: str) -> bool:
    """Whether a file's bytes have this digest (`file_digest`); false, too, where the file is gone.

    A file that is as it was when this process verified it is not read again.
    """
    try:
        state = (str(fs.unstrip_protocol(path)), str(fs.ukey(path)), digest)
        if state not in _SOUND and file_digest(fs, path) == digest:
            _SOUND.add(state)
    except FileNotFoundError:
        return False
    return state in _SOUND
