"""Lakes of format 1, as version 0.1 left them: where their files are, and what their records say. `migrate` reads them.

| | format 1 | format 2 |
| --- | --- | --- |
| rows | `<asset>/<column>=<key>/data.parquet` | `.../<digest>.parquet` |
| rejects | `rejected/hop=<asset>/...`, with a column `hop` | `rejected/asset=<asset>/...`, with a column `asset` |
| commit | `_commits/<path of the file>.json`, one per file | `_records/<asset>/<key>/<generation>.json` |
| gates | table `check_results` | in the record |
| seals | with digests; `seals/compared/<dump>.json` | in the record of the survivors |
| ledger parts | with a column `hop` | with a column `asset` |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.lake.durable import read
from persona_assets.lake.format import OLD_FOLDER
from persona_assets.lake.records import GateOutcome
from persona_assets.lake.store import FOLDERS, Lake

VERSION = "0.1.0"
LATER_GATES = frozenset({"given_as_read"})  # of rows that this version did not have, so that none failed
RENAMED = {"hop": "asset"}  # columns of rejects and calls
CHECKS = "check_results"
COMPARED = "seals/compared"
_NO_ASSETS = FOLDERS | {"rejected", "calls", CHECKS}


@dataclass(frozen=True)
class OldPartition:
    """A partition, and the paths of its files, which may be gone."""

    asset: str
    column: str
    key: str
    data: str
    rejects: str


@dataclass(frozen=True)
class OldCommit:
    """What was known of a committed file."""

    sha256: str
    run_id: str
    committed_at: str


@dataclass(frozen=True)
class OldSeal:
    """What a dump's shards were when it was sealed: sha256 of the files, digests of the persona ids."""

    files: Mapping[str, str]
    digests: Mapping[str, str]


def partitions(lake: Lake) -> list[OldPartition]:
    """The partitions whose rows are still where format 1 had them, sorted."""
    found = []
    for path in sorted(lake.fs.glob(f"{lake.root}/*/*=*/data.parquet")):
        asset, part = path.rsplit("/", 3)[1:3]
        if asset not in _NO_ASSETS and asset[0] != "_":
            found.append(partition(lake, asset, *part.split("=", 1)))
    return found


def partition(lake: Lake, asset: str, column: str, key: str) -> OldPartition:
    """A partition by name."""
    part = f"{column}={key}/data.parquet"
    return OldPartition(asset, column, key, f"{lake.root}/{asset}/{part}", f"{lake.root}/rejected/hop={asset}/{part}")


def orphaned_rejects(lake: Lake) -> list[OldPartition]:
    """Partitions whose rejects are still where format 1 had them."""
    found = []
    for path in sorted(lake.fs.glob(f"{lake.root}/rejected/hop=*/*=*/data.parquet")):
        hop, part = path.rsplit("/", 3)[1:3]
        found.append(partition(lake, hop.split("=", 1)[1], *part.split("=", 1)))
    return found


def commit_of(lake: Lake, path: str) -> OldCommit | None:
    """The commit record of a file; None where there is none that can be read."""
    data = read(lake, f"{lake.root}/{OLD_FOLDER}{path.removeprefix(lake.root).removesuffix('.parquet')}.json")
    try:
        values = orjson.loads(data or b"")
        return OldCommit(str(values["sha256"]), str(values["run_id"]), str(values["committed_at"]))
    except (ValueError, TypeError, KeyError):
        return None


def gates_of(lake: Lake, asset: str, key: str, run_id: str) -> list[GateOutcome]:
    """The results of a partition's gates in this run; none where they cannot be read."""
    path = f"{lake.root}/{CHECKS}/partition={asset}.{key}/data.parquet"
    try:
        with lake.fs.open(path, "rb") as file:
            rows = pl.DataFrame(pl.from_arrow(pq.read_table(file))).filter(pl.col("run_id") == run_id)
        return [GateOutcome(row["check"], row["failing"], orjson.loads(row["head"])) for row in rows.to_dicts()]
    except FileNotFoundError:
        return []
    except (pa.ArrowException, pl.exceptions.PolarsError, ValueError, KeyError):
        return []


def sealed(lake: Lake) -> dict[str, OldSeal]:
    """What the seals of format 1 say beyond those of format 2, by dump."""
    found = {}
    for path in lake.fs.glob(f"{lake.root}/seals/*.json"):
        values = orjson.loads(lake.fs.cat_file(path))
        if "digests" in values:
            found[values["dump"]] = OldSeal(values.get("files", {}), values["digests"])
    return found


def comparison(lake: Lake, dump: str) -> dict[str, Any]:
    """The note of which survivors a dump was compared with; empty where there is none that can be read."""
    data = read(lake, f"{lake.root}/{COMPARED}/{dump}.json")
    try:
        values = orjson.loads(data or b"{}")
        return {"file": values["file"], "kept": values["kept"], "against": dict(values["against"])} if values else {}
    except (ValueError, TypeError, KeyError):
        return {}
