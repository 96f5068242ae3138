"""Rows put straight into a lake, where what made them is of no matter."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from persona_assets.lake import Lake, Table

SHARD = "d.0000"
_NOTHING = {
    pl.List: [],
    pl.String: "x",
    pl.Int8: 0,
    pl.Int32: 1,
    pl.Int64: 1,
    pl.Datetime: 0,
    pl.Boolean: False,
    pl.Struct: None,
    pl.Float64: 0.0,
}


def store(lake: Lake, table: Table, rows: Sequence[Mapping[str, Any]], key: str = SHARD) -> None:
    """Write a partition of the table; rows that name no id get one by their number, and other columns are filled."""
    found = []
    for number, row in enumerate(rows):
        blank = {name: _NOTHING[type(dtype)] for name, dtype in table.polars.items()}
        found.append({**blank, table.key: f"smp_{number:032x}", "shard": key, "language": "en", **row})
    frame = pl.DataFrame(found, schema_overrides={"created_at": pl.Int64}, strict=False, infer_schema_length=None)
    lake.write(table, key, frame.select(pl.col(name).cast(dtype) for name, dtype in table.polars.items()), "r")
