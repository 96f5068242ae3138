"""Partitions that stand as they would be made now, without the work: for tests and benchmarks of who asks for what."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from persona_assets.checks.gates import gate_names
from persona_assets.lake.records import GateOutcome
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.store import Draft, Making, dump_of
from persona_assets.state import LakeState
from persona_assets_tests.rows import NOW


def register_shard(state: LakeState, shard: str, text: str = "") -> None:
    """A shard arrives, or its files change."""
    row = {"dump": dump_of(shard), "shard": shard, "folder": "f", "file": f"{shard}{text}", "bytes": 1}
    frame = pl.DataFrame([row | {"created_at": NOW}], schema=SHARD_FILES.polars)
    state.lake.write(SHARD_FILES, shard, frame, "run")
    state.refresh()


def stand(state: LakeState, asset: str, key: str, rows: Sequence[dict[str, Any]] = (), *, passed: bool = True) -> None:
    """Write a partition as it would be made now; with these rows, or none."""
    table = state.assets[asset].table

    def judge(draft: Draft) -> list[GateOutcome]:
        return [GateOutcome(name, 0 if passed else 1, []) for name in gate_names(table)]

    making = Making(state.inputs(asset, key), state.recipe(asset), state.judged_by(asset), judge)
    with state.lake.partition(table, key, "run", making) as part:
        if rows:
            part.rows.append(pl.DataFrame(list(rows), schema=table.polars))
    state.refresh()
