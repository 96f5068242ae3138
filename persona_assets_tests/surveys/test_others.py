"""What respondents see of one another, and who talks with whom."""

from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.surveys.others import ARGUMENTS, others_for, paired, percents
from persona_assets.surveys.survey import Survey

ROW = st.tuples(
    st.sampled_from(["tea", "coffee", "water", None]), st.sampled_from(["en", "zh"]), st.sampled_from(["young", "old"])
)


def survey(**told: object) -> Survey:
    options = [{"id": one, "text": {"en": one, "zh": one}} for one in ("tea", "coffee", "water")]
    return Survey.model_validate({"question": {"en": "?", "zh": "?"}, "options": options, "size": 9, **told})


def answers(rows: list[tuple[str | None, str, str]]) -> pl.DataFrame:
    choices, languages, strata = ([row[at] for row in rows] for at in range(3))
    return pl.DataFrame(
        {
            "sample_id": [f"smp_{n}" for n in range(len(rows))],
            "choice": choices,
            "reason": [f"because {n}" for n in range(len(rows))],
            "language": languages,
            "stratum": strata,
        },
        schema_overrides={"choice": pl.String, "language": pl.String, "stratum": pl.String},
    )


@given(st.lists(ROW, max_size=40))
def test_arguments_are_of_others_who_speak_the_language_and_chose_otherwise(
    rows: list[tuple[str | None, str, str]],
) -> None:
    given_ = answers(rows)
    found = others_for(given_, 0, arguments=True)
    places = {name: at for at, name in enumerate(given_["sample_id"])}
    for at, (shown, ids) in enumerate(found.iter_rows()):
        fitting = [row for row in rows if row[0] not in (None, rows[at][0]) and row[1] == rows[at][1]]
        assert len(ids) == len(set(ids)) == min(ARGUMENTS, len(fitting))
        for argument, name in zip(shown, ids, strict=True):
            other = rows[places[name]]
            assert argument == {"choice": other[0], "reason": f"because {places[name]}"}
            assert other[0] not in (None, rows[at][0])
            assert other[1] == rows[at][1]


def test_reasons_of_most_are_shown_and_one_answer_more_changes_what_few_see() -> None:
    rows: list[tuple[str | None, str, str]] = [(("tea", "coffee")[n % 2], "en", "old") for n in range(200)]
    found = others_for(answers(rows), 0, arguments=True)["other_ids"]
    times = Counter(found.explode())
    assert len(times) >= 150
    assert max(times.values()) <= 15
    more = others_for(answers([*rows, ("tea", "en", "old")]), 0, arguments=True)["other_ids"].head(200)
    assert sum(one != other for one, other in zip(found.to_list(), more.to_list(), strict=True)) <= 15


def test_without_arguments_nothing_is_shown() -> None:
    found = others_for(answers([("tea", "en", "old"), ("coffee", "en", "old")]), 0, arguments=False)
    assert found["other_ids"].to_list() == [[], []]


def test_shares_are_of_those_who_chose() -> None:
    rows = answers([("tea", "en", "old")] * 2 + [("water", "en", "old")] + [(None, "en", "old")])
    assert percents(rows, survey()) == [
        {"id": "tea", "percent": 67},
        {"id": "coffee", "percent": 0},
        {"id": "water", "percent": 33},
    ]
    assert percents(rows.filter(pl.col("choice").is_null()), survey()) == []


@given(st.lists(ROW, max_size=40), st.integers(0, 8), st.booleans())
def test_those_who_talk_differ_in_choice_and_stratum_and_talk_once(
    rows: list[tuple[str | None, str, str]], wanted: int, has_strata: bool
) -> None:
    strata = {"by": "age", "counts": {"young": 4, "old": 5}} if has_strata else None
    pairs = paired(answers(rows), survey(dialogues=wanted, strata=strata))
    assert len(pairs) <= wanted
    used = [place for pair in pairs for place in pair]
    assert len(used) == len(set(used))
    for one, other in pairs:
        assert rows[one][1] == rows[other][1]
        assert rows[one][0] not in (None, rows[other][0])
        assert rows[other][0] is not None
        assert not has_strata or rows[one][2] != rows[other][2]
