"""Where a command writes: places that are looked at before work begins, and faults that name them."""

import errno
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from persona_assets.errors import PersonaAssetsError, UsageError

# Errors of the operating system that a place to write to is to blame for.
WRITE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)


def check_places(path: Path, *places: tuple[str, Path | None, Sequence[str]]) -> None:
    """See that what is made of FILE, at `path`, can be written: each option, its place and the endings it may have.

    Raises:
        UsageError: a place that cannot be written to, or that is FILE itself.
    """
    for option, place, kinds in places:
        if place is None:
            continue
        if place.suffix not in kinds:
            raise UsageError(f"{option} {place}: end the name in {' or '.join(kinds)}")
        if not place.parent.is_dir():
            raise UsageError(f"{option} {place}: no such folder {place.parent}")
        if place.is_dir():
            raise UsageError(f"{option} {place} is a folder: name a file in it")
        if not os.access(place.parent, os.W_OK | os.X_OK):
            raise UsageError(f"{option} {place}: no permission to write in {place.parent}")
        if place.exists() and path.exists() and place.samefile(path):
            raise UsageError(f"{option} {place} is a file that is read: name another one")


@contextmanager
def blaming(place: str, *read: Path) -> Iterator[None]:
    """Turn what the operating system says of writing into an error that names `place`; `read` are only read.

    Raises:
        PersonaAssetsError: no space, no permission or the like.
    """
    try:
        yield
    except OSError as error:
        found = re.search(r"(?:os error|errno) (\d+)", str(error))  # as the libraries below have it
        number = error.errno or (int(found[1]) if found else 0)
        if number not in WRITE_FAULTS or error.filename in map(str, read):
            raise
        raise PersonaAssetsError(f"{place}: {os.strerror(number)}") from error


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A temporary name in the folder of `place`, which is gone in the end."""
    temporary = place.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
