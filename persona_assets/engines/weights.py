"""Which weights a model's folder holds: the revision of the models that are run on this machine."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from persona_assets.ids import id_hasher
from persona_assets.settings import Settings

LAKE, MODELS = "lake:", "models"  # what a model of a lake is called by, before its id, and the lake's folder of them
BLOCK, BLOCKS = 1 << 16, 256  # bytes and number of the blocks of a file that count for a model's digest


def place_of(settings: Settings) -> str:
    """Where the weights of `settings.model` are: a folder, or a name that a library knows.

    `lake:<id>` is a model that was trained in this lake, `lake:<id>/base` what it was trained from, where that was
    nothing. So its name, which is part of a call's key, does not hang on where the lake lies.
    """
    if not settings.model.startswith(LAKE):
        return settings.model
    model_id, _, part = settings.model.removeprefix(LAKE).partition("/")
    return f"{settings.lake}/{MODELS}/{model_id}/{part or 'model'}"


def local_revision(settings: Settings) -> str:
    """The revision of `settings.model`: that of the settings, else the digest of its folder; "" of a mere name."""
    folder = Path(place_of(settings))
    if settings.model_revision or not settings.model or not folder.is_dir():
        return settings.model_revision
    files = [path.stat() for path in sorted(folder.iterdir())]
    return _digest_at(folder, tuple((file.st_mtime_ns, file.st_size) for file in files))


@cache
def _digest_at(folder: Path, stamp: tuple[tuple[int, int], ...]) -> str:
    """The digest of a model's folder as it was at that stamp; reading it may take a second."""
    return folder_digest(folder)


def folder_digest(folder: Path) -> str:
    """A digest of a model's folder, the same wherever it is copied to, and another one after any training."""
    return files_digest(sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")))


def files_digest(files: Iterable[Path]) -> str:
    """A digest of files in their order.

    Names, sizes and content; of large files (weights) evenly spaced blocks, as reading all of them takes minutes.
    """
    hasher = id_hasher(b"")
    for path in files:
        size = path.stat().st_size
        hasher.update(f"{path.name}\0{size}\0".encode())
        step = max(BLOCK, size // BLOCKS)
        with path.open("rb") as file:
            for offset in range(0, size, step):
                file.seek(offset)
                hasher.update(file.read(BLOCK))
    return hasher.hexdigest()
