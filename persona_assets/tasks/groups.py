"""Several rows in one question: the rows of a partition in groups, each of which is asked about together."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.prompts.template import Group
from persona_assets.tasks.rows import Reading, Row, partition_of

SHUFFLE = "shuffle"
_ROWS = 4096  # rows read at once, and more where a group is larger
Keeps = Callable[[Row], bool]


def groups(lake: Lake, reading: Reading, key: str, group: Group, keeps: Keeps | None) -> Iterator[list[Row]]:
    """The groups of a partition, by the columns that their rows are alike in and their order; rows in their order.

    `keeps` says which rows are asked about; None: all. Ids and columns to sort by are held in memory, rows are not.
    """
    table = reading.table
    sorting = [name for name in dict.fromkeys((*group.by, group.order)) if name and name != SHUFFLE]
    columns = [pl.col(table.key).alias("_id"), *(pl.col(name).alias(f"_{name}") for name in sorting)]
    if keeps is None:
        listed = lake.scan(table, [key]).select(columns).collect()
    else:
        listed = pl.concat([some.select(columns) for some in _kept(lake, reading, key, keeps)])
    order = [f"_{group.order}"] if group.order in sorting else []
    if group.order == SHUFFLE:
        listed = listed.with_columns(
            _digest=pl.Series([digest(one.encode()) for one in listed["_id"]], dtype=pl.String)
        )
        order = ["_digest"]
    alike = [f"_{name}" for name in group.by]
    listed = listed.sort(*alike, *order, "_id", nulls_last=True)
    place = pl.int_range(pl.len())
    listed = listed.with_columns(_chunk=(place.over(alike) if alike else place) // group.take)
    chunks = [part["_id"].to_list() for part in listed.partition_by(*alike, "_chunk", maintain_order=True)]
    waiting: list[list[str]] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= _ROWS:
            yield from _rows_of(lake, reading, key, waiting)
            waiting = []
    yield from _rows_of(lake, reading, key, waiting)


def _kept(lake: Lake, reading: Reading, key: str, keeps: Keeps) -> Iterator[pl.DataFrame]:
    yield pl.DataFrame(schema=reading.table.polars)
    for batch in lake.batches(reading.table, key):
        rows = reading.rows(partition_of(lake, reading.table, key), batch)
        yield batch.filter(pl.Series([keeps(row) for row in rows], dtype=pl.Boolean))


def _rows_of(lake: Lake, reading: Reading, key: str, chunks: Sequence[Sequence[str]]) -> Iterator[list[Row]]:
    """The rows with these ids, in lists as the ids are."""
    if not chunks:
        return
    table = reading.table
    ids = pl.Series([one for chunk in chunks for one in chunk], dtype=pl.String)
    frame = lake.scan(table, [key]).filter(pl.col(table.key).is_in(ids.implode())).collect()
    rows = {str(row[table.key]): row for row in reading.rows(partition_of(lake, table, key), frame)}
    for chunk in chunks:
        yield [rows[one] for one in chunk]


def in_order(rows: Sequence[Row], key: str, group: Group, attempt: int) -> list[Row]:
    """The rows of a group as an attempt shows them: where they are shuffled, each attempt in another order."""
    if group.order != SHUFFLE:
        return list(rows)
    return sorted(rows, key=lambda row: digest(canonical_json([row[key], attempt])))
