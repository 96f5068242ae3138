"""Files of JSON that each hold rows one after the other, in a folder that is whole or not there."""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import orjson

from persona_assets.errors import UsageError
from persona_assets.export.folder import whole
from persona_assets.ids import Json

LINES = ".jsonl"


def write_listed(out: Path, source: str, rows: Iterable[tuple[str, Json]]) -> dict[str, int]:
    """Write rows, each with the file that it goes into; by file its rows.

    A file `.jsonl` has a row a line, any other a list with a row a line. The folder is whole or not there.

    Raises:
        UsageError: there is no row, of `source`, or the folder is not empty.
    """
    counts: Counter[str] = Counter()
    with whole(out) as folder, ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}
        for name, row in rows:
            if name not in files:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                files[name] = stack.enter_context(path.open("wb"))
            between = (b",\n" if counts[name] else b"[\n") if not name.endswith(LINES) else b""
            files[name].write(between + orjson.dumps(row) + (b"\n" if name.endswith(LINES) else b""))
            counts[name] += 1
        if not counts:
            raise UsageError(f"{source} has no rows: make it first")
        for name, file in files.items():
            file.write(b"" if name.endswith(LINES) else b"\n]\n")
        stack.close()
    return dict(sorted(counts.items()))
