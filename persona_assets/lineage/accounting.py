"""What became of a row at the later steps of its shard."""

from collections.abc import Iterable, Sequence

import polars as pl

from persona_assets.lake import Parent, Table
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
)
from persona_assets.lineage.find import BORN, PASSED_ON, Finder, Found
from persona_assets.lineage.model import Fate


def of_document(finder: Finder, document_id: str, shard: str) -> list[Fate]:
    """How many personas it gave, and what was refused of it."""
    personas = finder.near(EXTRACTED_PERSONAS, pl.col("document_id") == document_id, shard)
    return [*_gave(EXTRACTED_PERSONAS, personas), *_rejected(finder, document_id, shard)]


def of_persona(finder: Finder, persona_id: str, shard: str, mark: Found | None) -> list[Fate]:
    """Where it was kept or stopped, and what it gave. `mark` is its row in `persona_survivors`."""
    here = pl.col("persona_id") == persona_id
    fates = _gave(EXPANDED_PERSONAS, finder.near(EXPANDED_PERSONAS, pl.col("parent_persona_id") == persona_id, shard))
    if finder.near(FILTERED_PERSONAS, here, shard):
        fates.append(Fate(FILTERED_PERSONAS.name, "kept"))
    if mark:
        fates.append(_marked(mark))
    if finder.near(DEDUPED_PERSONAS, here, shard):
        fates.append(Fate(DEDUPED_PERSONAS.name, "kept"))
    fates += _came_of(finder, (*BORN, *PASSED_ON), persona_id, shard)
    return [*fates, *_rejected(finder, persona_id, shard)]


def of_row(finder: Finder, table: Table, row_id: str, shard: str) -> list[Fate]:
    """What a row of any other asset gave, and what was refused of it."""
    return [*_came_of(finder, [table], row_id, shard), *_rejected(finder, row_id, shard)]


def _came_of(finder: Finder, tables: Iterable[Table], row_id: str, shard: str) -> list[Fate]:
    """The rows that were made from a row of one of these tables."""
    names, fates = {table.name for table in tables}, []
    for table in finder.tasks:
        for origin in table.origins:
            if names & set(origin.tables):
                fates += _gave(table, finder.near(table, _names(table, origin, row_id, shard), shard))
    return fates


def _names(table: Table, parent: Parent, row_id: str, partition: str) -> pl.Expr:
    column = pl.col(parent.column)
    if parent.whole:
        return column == partition
    return column.list.contains(row_id) if isinstance(table.polars[parent.column], pl.List) else column == row_id


def of_call(finder: Finder, call_id: str, table: Table | None) -> list[Fate]:
    """The rows and rejects that were parsed out of it."""
    answered = pl.col("call_id") == call_id
    in_turns = table is not None and "call_ids" in table.polars
    rows = finder.rows(table, pl.col("call_ids").list.contains(call_id) if in_turns else answered) if table else []
    kept = [Fate(found.table.name, "gave", str(found.row[found.table.key])) for found in rows]
    return kept + [_reject(found) for found in finder.rejects(answered)]


def _marked(mark: Found) -> Fate:
    row = mark.row
    if row["kept"]:
        return Fate(PERSONA_SURVIVORS.name, "kept", f"seal {row['seal']}")
    similarity = "" if row["similarity"] is None else f", similarity {row['similarity']:.3f}"
    return Fate(PERSONA_SURVIVORS.name, "removed", f"{row['method']}{similarity}, survivor {row['survivor_id']}")


def _gave(table: Table, rows: Sequence[Found]) -> list[Fate]:
    if not rows:
        return []
    return [Fate(table.name, "gave", ", ".join(str(found.row[table.key]) for found in rows))]


def _rejected(finder: Finder, row_id: str, shard: str) -> list[Fate]:
    met = (pl.col("row_id") == row_id) | (pl.col("parent_id") == row_id)
    return [_reject(found, row_id) for found in _in_order(finder.rejects(met, shard))]


def _in_order(rejects: Iterable[Found]) -> list[Found]:
    return sorted(rejects, key=lambda found: (found.row["asset"], found.row["row_id"], found.row["reason"]))


def _reject(found: Found, row_id: str = "") -> Fate:
    row = found.row
    of = "" if row["row_id"] == row_id else f"{row['row_id']}: "
    return Fate(row["asset"], "rejected", f"{of}{row['reason']}: {row['detail']}")
