"""Which statements are shown with a text, and that a cast of many is looked up at once."""

from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.characters.evidence import MOST, evidence_for
from persona_assets.lake import Lake

PEOPLE = 12


def statements() -> pl.DataFrame:
    rows = [
        {"sample_id": f"{one}-{at}", "shard": "hub", "character_id": f"c{one}", "start": at, "date": f"18{10 + at}"}
        | {"text": text}
        for one in range(PEOPLE)
        for at, text in enumerate(("She built a clock.", "Her father baked bread.", "The bridge fell.", *"abcdefgh"))
    ]
    return pl.DataFrame(rows)


def texts(**values: Any) -> pl.DataFrame:
    told = {"shard": "hub", "language": "en", "text": "My father was a baker.", "date": None, "cited": []}
    rows = [{"id": f"t{one}", "character_id": f"c{one}", **told, **values} for one in range(PEOPLE)]
    return pl.DataFrame(rows, schema_overrides={"date": pl.String, "cited": pl.List(pl.String)})


def shown(lake: Lake, **values: Any) -> dict[str, list[str]]:
    found = evidence_for(texts(**values), statements(), lake, "")
    return dict(found.select("id", "statement_ids").iter_rows())


def test_the_nearest_statement_of_the_own_character_comes_first(lake: Lake) -> None:
    for name, ids in shown(lake).items():
        assert ids[0] == f"{name[1:]}-1"
        assert len(ids) == MOST
        assert {one.split("-")[0] for one in ids} == {name[1:]}


def test_what_is_cited_comes_before_what_is_near(lake: Lake) -> None:
    assert shown(lake, cited=["3-2"])["t3"][:2] == ["3-2", "3-1"]


def test_nothing_of_a_later_date_is_shown(lake: Lake) -> None:
    assert shown(lake, date="1810")["t3"] == ["3-0"]


def test_a_character_without_statements_is_shown_none(lake: Lake) -> None:
    found = evidence_for(texts(), statements().filter(pl.col("character_id") != "c3"), lake, "")
    assert dict(found.select("id", pl.col("statement_ids").list.len()).iter_rows())["t3"] == 0


def test_vectors_of_a_cast_are_kept_together_and_not_by_character(lake: Lake) -> None:
    first = shown(lake)
    parts = sorted(Path(lake.root).glob("embeddings/*/*/part-*.parquet"))
    assert {path.parent.name for path in parts} == {"shard=lines-hub", "shard=statements-hub"}
    assert len(parts) == 2
    assert shown(lake) == first
