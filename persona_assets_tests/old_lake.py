"""The small lake that an earlier version made, unpacked for a test; fixtures/README.md says what is in it."""

import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).with_name("fixtures") / "old_lake.tar.gz"
DUMPS = ("old-2026-09", "old-2026-10")
SHARDS = ("old-2026-09.0000", "old-2026-09.0001", "old-2026-10.0000", "old-2026-10.0001")
# What its partitions were made under; folders are those below the one that `unpack` returns.
SETTINGS = {
    "engine": "offline",
    "settle_s": 0,
    "files_per_shard": 1,
    "relations": ("read",),
    "fanout": (1,),
    "hops": 2,
    "min_relatedness": 0.5,
}


def unpack(folder: Path) -> Path:
    """Unpack it below a folder, and return the folder that holds `lake`, `dumps` and `tasks`."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "old_lake"
