"""The digest of what a table holds: batches and files change nothing, any other value does."""

from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.lake import Column, Table
from persona_assets.lake.content import ContentDigest, content_of

TABLE = Table(
    "t",
    "id",
    (
        Column("id", pl.String(), ""),
        Column("number", pl.Int32(), ""),
        Column("share", pl.Float32(), ""),
        Column("kept", pl.Boolean(), ""),
        Column("at", pl.Datetime("us", "UTC"), ""),
        Column("names", pl.List(pl.String()), ""),
        Column("pairs", pl.List(pl.Struct({"a": pl.String(), "b": pl.Int64()})), ""),
        Column("run_id", pl.String(), ""),
    ),
)
TEXT = st.none() | st.text(max_size=4)
ROW = st.fixed_dictionaries(
    {
        "id": TEXT,
        "number": st.none() | st.integers(-(2**31), 2**31 - 1),
        "share": st.none() | st.floats(width=32),
        "kept": st.none() | st.booleans(),
        "at": st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)),
        "names": st.none() | st.lists(TEXT, max_size=3),
        "pairs": st.none()
        | st.lists(st.fixed_dictionaries({"a": TEXT, "b": st.none() | st.integers(-9, 9)}), max_size=2),
        "run_id": TEXT,
    }
)
ROWS = st.lists(ROW, max_size=6)


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TABLE.polars)


def arrow(frame: pl.DataFrame) -> object:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@given(ROWS, st.lists(st.integers(0, 6), max_size=3))
def test_batches_change_nothing(rows: list[dict[str, object]], cuts: list[int]) -> None:
    whole, pieces = frame(rows), ContentDigest(TABLE)
    bounds = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(bounds):
        pieces.update(arrow(whole[start:end]))  # type: ignore[arg-type]
    assert pieces.hexdigest() == content_of(whole, TABLE)


@given(ROWS, ROWS)
def test_equal_digests_are_of_equal_rows(one: list[dict[str, object]], other: list[dict[str, object]]) -> None:
    left, right = (frame(rows).drop("run_id") for rows in (one, other))
    same = content_of(frame(one), TABLE) == content_of(frame(other), TABLE)
    assert same == left.equals(right)


def test_the_run_changes_nothing() -> None:
    row = {"id": "a", "run_id": "one"}
    assert content_of(frame([row]), TABLE) == content_of(frame([row | {"run_id": "two"}]), TABLE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"names": ["a", "b"]}, {"names": []}], [{"names": ["a"]}, {"names": ["b"]}]),
        ([{"id": "ab"}, {"id": "c"}], [{"id": "a"}, {"id": "bc"}]),
        ([{"id": None}], [{"id": ""}]),
        ([{"number": None}], [{"number": 0}]),
        ([], [{}]),
    ],
)
def test_what_could_run_together_is_told_apart(one: list[dict[str, object]], other: list[dict[str, object]]) -> None:
    assert content_of(frame(one), TABLE) != content_of(frame(other), TABLE)


def test_another_type_is_another_content() -> None:
    wide = Table("t", "id", tuple(Column(c.name, pl.Int64(), "") if c.name == "number" else c for c in TABLE.columns))
    row = {"id": "a", "number": 1}
    assert content_of(frame([row]), TABLE) != content_of(pl.DataFrame([row], schema=wide.polars), wide)
