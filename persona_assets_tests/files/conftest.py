from collections.abc import Callable
from pathlib import Path

import pytest

from persona_assets.files.formats import format_of
from persona_assets.files.open import open_crawl_file
from persona_assets.files.records import Record

ReadFile = Callable[..., tuple[str, list[Record]]]


@pytest.fixture
def read_file(tmp_path: Path) -> ReadFile:
    """Reads bytes as a file of a name: its format and its records."""

    def read(data: bytes, name: str = "file", limit: int = 1 << 20) -> tuple[str, list[Record]]:
        path = tmp_path / name
        path.write_bytes(data)
        with open_crawl_file(path) as opened:
            form = format_of(opened)
            return (form.name, list(form.read(opened, limit, None))) if form else ("", [])

    return read
