"""The rows that a task asks about: its own columns of the table that it reads, and those of what they came from."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake, Table

Row = dict[str, object]
Scan = Callable[[Table], pl.LazyFrame]  # the rows of a table that a partition is made from
Link = tuple[str, Table, str]  # a column, the table that it refers to, and the key there
Ancestors = Mapping[str, tuple[tuple[Link, ...], tuple[str, ...]]]  # by name: the way there, and the columns wanted
MOST_TO_DRAW_FROM = 1000  # rows; each is looked at for each row that is asked about


@dataclass(frozen=True)
class Looking:
    """Rows of another table for each row: those whose column `theirs` has the value of the row's `own`.

    They come in the order of the column `order`, or of their ids. Either column may be a list, of which one value is
    enough. Without them all rows are looked up. `draw` of what is found is drawn, and ordered, by the ids of both.
    `ancestors` are as in `Reading`.
    """

    table: Table
    own: str
    theirs: str
    columns: tuple[str, ...]
    by: str  # the key of the row that is asked about
    take: int | None = None
    draw: int | None = None
    partition: str = ""
    ancestors: "Ancestors" = field(default_factory=dict)
    order: str = ""


@dataclass(frozen=True)
class Reading:
    """What is read of a partition: `columns` of `table`, for each ancestor's name its columns, and looked-up rows."""

    table: Table
    columns: tuple[str, ...]
    ancestors: Ancestors = field(default_factory=dict)
    looked_up: Mapping[str, Looking] = field(default_factory=dict)

    def batches(self, lake: Lake, key: str) -> Iterator[list[Row]]:
        """The rows of a partition in its order, in lists; an ancestor's columns are a dictionary under its name."""
        for batch in lake.batches(self.table, key):
            yield self.rows(partition_of(lake, self.table, key), batch)

    def rows(self, scan: Scan, frame: pl.DataFrame) -> list[Row]:
        """Some rows of a partition, with what is read of their ancestors; `scan` gives a table's rows in it."""
        rows = frame.select(self.columns).to_dicts()
        for name, (links, columns) in self.ancestors.items():
            above = _ancestors(scan, frame, links, columns)
            for row, ancestor in zip(rows, above, strict=True):
                row[name] = ancestor
        for name, looking in self.looked_up.items():
            for row, found in zip(rows, _looked_up(scan, frame, looking), strict=True):
                row[name] = found
        return rows


def partition_of(lake: Lake, table: Table, key: str, made_from: Iterable[str] = ()) -> Scan:
    """Scans the tables of a lake where a partition of `table` reads them; a file whose bytes are damaged is set aside.

    Those partitioned alike under its key; of others the partitions that `made_from` names, as a record does, or all.
    """
    return lambda read: lake.scan(read, _keys(table, key, read, made_from))


def partition_as_it_is(lake: Lake, table: Table, key: str, made_from: Iterable[str] = ()) -> Scan:
    """The same without looking at the bytes, for an audit, which moves nothing."""
    return lambda read: lake.scan_paths(lake.paths(read, _keys(table, key, read, made_from)), read)


def _keys(table: Table, key: str, read: Table, made_from: Iterable[str]) -> list[str] | None:
    if read.partition == table.partition:
        return [key]
    named = [one.partition("/") for one in made_from]
    return [above for name, _, above in named if name == read.name] or None


def _ancestors(scan: Scan, frame: pl.DataFrame, links: Sequence[Link], columns: Sequence[str]) -> list[Row | None]:
    """For each row the columns of the ancestor that its links lead to; of several the first."""
    ids = _first(frame[links[0][0]])
    for number, (_, table, key_column) in enumerate(links):
        is_last = number == len(links) - 1
        wanted = [*columns] if is_last else [links[number + 1][0]]
        found = (
            scan(table)
            .filter(pl.col(key_column).is_in(ids.unique().drop_nulls().implode()))
            .select(pl.col(key_column).alias("_id"), *wanted)
            .collect()
        )
        joined = ids.to_frame("_id").join(
            found.unique("_id", keep="first"), on="_id", how="left", maintain_order="left"
        )
        if not is_last:
            ids = _first(joined[wanted[0]])
            continue
        there = joined["_id"].is_in(found["_id"].implode()).fill_null(value=False).to_list()
        return [
            row if is_there else None for row, is_there in zip(joined.select(wanted).to_dicts(), there, strict=True)
        ]
    raise ValueError("an ancestor is at least one link away")


def _looked_up(scan: Scan, frame: pl.DataFrame, looking: Looking) -> list[list[Row]]:
    """For each row the rows that are looked up for it, in their order, or as they are drawn.

    Raises:
        UsageError: there are too many to draw from.
    """
    table = looking.table
    own = pl.col(looking.own) if looking.own else pl.lit("")
    theirs = pl.col(looking.theirs) if looking.theirs else pl.lit("")
    wanted = frame.select(_id=own).with_row_index("_at") if looking.own else frame.select(_at=_index(), _id=own)
    wanted = (wanted.explode("_id") if isinstance(wanted.schema["_id"], pl.List) else wanted).drop_nulls()
    there = scan(table)
    if looking.partition:
        there = there.filter(pl.col("shard") == looking.partition)
    there = there.with_columns(_id=theirs)
    if isinstance(there.collect_schema()["_id"], pl.List):
        there = there.explode("_id")
    found = there.filter(pl.col("_id").is_in(wanted["_id"].unique().implode())).collect()
    rows = found.select(looking.columns).to_dicts()
    for name, (links, columns) in looking.ancestors.items():
        for row, above in zip(rows, _ancestors(scan, found, links, columns), strict=True):
            row[name] = above
    places = found.select("_id", _key=table.key, _by=looking.order or table.key).with_row_index("_place")
    joined = wanted.join(places, on="_id").unique(["_at", "_key"], keep="first").sort("_at", "_by", "_key")
    by_row: list[list[Row]] = [[] for _ in range(frame.height)]
    for at, place in joined.select("_at", "_place").iter_rows():
        if looking.take is None or len(by_row[at]) < looking.take:
            by_row[at].append(rows[place])
    if looking.draw is None:
        return by_row
    if len(rows) > MOST_TO_DRAW_FROM:
        said = f"{len(rows):,} rows of {table.name} to draw from, at most {MOST_TO_DRAW_FROM:,} can be"
        raise UsageError(f"{said}: narrow them down by `on` or `partition`")
    return [_drawn(row_id, some, looking) for row_id, some in zip(frame[looking.by], by_row, strict=True)]


def _index() -> pl.Expr:
    return pl.int_range(pl.len(), dtype=pl.UInt32)


def _drawn(row_id: str, rows: list[Row], looking: Looking) -> list[Row]:
    """Those of some rows that are drawn for a row, the ones with the lowest digests: another row changes few draws."""
    assert looking.draw is not None
    name, key = looking.table.name, looking.table.key
    return heapq.nsmallest(looking.draw, rows, key=lambda row: digest(canonical_json([row_id, name, row[key]])))


def _first(ids: pl.Series) -> pl.Series:
    """The ids of a column, or the first of each of its lists."""
    return ids.list.first() if isinstance(ids.dtype, pl.List) else ids


def links_to(table: Table, ancestor: str, tables: Mapping[str, Table]) -> tuple[Link, ...]:
    """The shortest way from a row to an ancestor; () where there is none."""
    waiting: list[tuple[Table, tuple[Link, ...]]] = [(table, ())]
    seen = {table.name}
    for here, way in waiting:  # grows while it is walked: breadth first
        for parent in here.parents:
            for name in parent.tables:
                above = tables.get(name)
                if above is None or name in seen or above.partition == "dump":
                    continue
                link = (parent.column, above, parent.key)
                if name == ancestor:
                    return (*way, link)
                seen.add(name)
                waiting.append((above, (*way, link)))
    return ()


def ancestors_of(table: Table, tables: Mapping[str, Table]) -> list[str]:
    """The names of the tables that a row's ancestors are in."""
    return [name for name in tables if name != table.name and links_to(table, name, tables)]
