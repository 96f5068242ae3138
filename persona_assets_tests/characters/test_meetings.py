"""Characters of a cast who meet, two by two, or three."""

from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.characters.meetings import COLUMNS, meetings_of


def people(*languages: str) -> pl.DataFrame:
    rows = [
        {"sample_id": f"smp_{n}", "character_id": f"chr_{n}", "name": f"Person {n}", "language": language}
        | {"profile": f"# Person {n}\n\nThis is person {n}.\n"}
        for n, language in enumerate(languages)
    ]
    return pl.DataFrame(rows)


@given(st.lists(st.sampled_from(("en", "zh")), min_size=1, max_size=9), st.integers(0, 3))
def test_each_character_meets_one_of_its_language_or_is_set_aside(languages: list[str], seed: int) -> None:
    given = people(*languages)
    found = meetings_of(given, seed)
    language_of = dict(given.select("sample_id", "language").iter_rows())
    met = found.filter(pl.col("reason").is_null())
    counted = Counter(met["parent_ids"].explode(empty_as_null=False, keep_nulls=False).to_list())
    alone = found.filter(reason="alone")["parent_ids"].explode(empty_as_null=False, keep_nulls=False).to_list()
    assert {*counted, *alone} == set(language_of)
    assert not set(counted) & set(alone)
    assert set(counted.values()) <= {1}
    for ids in met.select("first_id", "second_id", "third_id").rows():
        there = [one for one in ids if one]
        assert len(there) in (2, 3)
        assert len({language_of[one] for one in there}) == 1
    of_three = met.drop_nulls("third_id")["third_id"].to_list()
    assert len(of_three) == sum(languages.count(one) % 2 and languages.count(one) > 1 for one in set(languages))


def test_meetings_follow_from_seed_and_ids_and_not_from_the_order_of_rows() -> None:
    some = people(*["en"] * 8)
    told = [
        set(meetings_of(rows, seed)["first_id"])
        for rows, seed in ((some, 0), (some.reverse(), 0), (some, 1), (some, 2))
    ]
    assert told[0] == told[1]
    assert len({frozenset(one) for one in told}) > 1


def test_each_is_prompted_as_themselves_and_knows_whom_they_meet() -> None:
    [row] = meetings_of(people("en", "en"), 0).to_dicts()
    for side, other in (("first", "second"), ("second", "first")):
        assert row[f"{side}_prompt"].startswith(f"You are {row[f'{side}_name']}.")
        assert row[f"{other}_name"] in row[f"{side}_prompt"]
        assert row[f"{side}_about"] == f"This is person {row[f'{side}_name'][-1]}."


def test_three_who_meet_know_of_both_others() -> None:
    [row] = meetings_of(people("ru", "ru", "ru"), 0).to_dicts()
    for side in ("first", "second", "third"):
        others = [row[f"{one}_name"] for one in ("first", "second", "third") if one != side]
        assert " и ".join(others) in row[f"{side}_prompt"]


def test_the_frame_has_the_columns_of_the_table() -> None:
    assert meetings_of(people("en"), 0).columns == ["parent_ids", *COLUMNS, "reason", "detail"]
