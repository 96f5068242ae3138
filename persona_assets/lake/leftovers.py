"""Temporary files that processes have left in `<lake>/_tmp`, as they were killed: removed once they are nobody's.

The name of each begins with its process (`heartbeat.mark`). What a process of this machine left goes when that process
has ended. Of others (another machine, an earlier boot, a version that gave other names) nobody can tell whether they
live: theirs goes when nothing in it has changed for `KEPT_S`.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from persona_assets.lake.heartbeat import has_ended, is_of_this_machine, marked
from persona_assets.lake.store import TEMPORARY, Lake

KEPT_S = 7 * 24 * 3600.0


def clear_leftovers(lake: Lake) -> int:
    """Remove what is nobody's; returns how many files and folders that were."""
    root, count = f"{lake.root}/{TEMPORARY}", 0
    with suppress(FileNotFoundError):
        for path in [str(path).rstrip("/") for path in lake.fs.ls(root, detail=False)]:
            holder = marked(path.rpartition("/")[2])
            if has_ended(holder) or (not is_of_this_machine(holder) and unchanged_s(lake, path) > KEPT_S):
                _remove(lake, path)
                count += 1
    return count


def unchanged_s(lake: Lake, path: str) -> float:
    """Seconds since a file, or anything in a folder, was written; none where it is gone, or that cannot be told."""
    try:
        if not lake.is_local:
            return time.time() - max(float(lake.fs.modified(found).timestamp()) for found in lake.fs.find(path))
        inside = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]  # noqa: PTH118
        return time.time() - max(os.stat(found).st_mtime for found in [path, *inside])  # noqa: PTH116
    except (FileNotFoundError, NotImplementedError, ValueError):
        return 0.0


def _remove(lake: Lake, path: str) -> None:
    """Remove a file or a folder, which another run may be doing too."""
    if lake.is_local and Path(path).is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(FileNotFoundError):
        lake.fs.rm(path, recursive=True)
