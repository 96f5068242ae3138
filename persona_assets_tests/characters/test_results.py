"""What interviews come to: counts, and means of calibrated judges alone, with intervals over questions."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.characters.page import Outcome, blocks
from persona_assets.characters.results import (
    COUNTS,
    DIFFERENCES,
    FLAGGED,
    MEANS,
    counts,
    differences,
    flagged,
    interval,
    means,
    named,
)
from persona_assets.view.blocks import Section, words


def answers(system: str, *lengths: int, **values: object) -> pl.DataFrame:
    """Answers of a system, one to each question."""
    told = {
        "system": system,
        "kind": "single",
        "named": "shown",
        "character_id": "chr_0",
        "flags": [],
        "leaks": [],
    } | values
    rows = [{"sample_id": f"{system}{n}", "question": f"q{n}", "length": of} | told for n, of in enumerate(lengths)]
    lists = {"flags": pl.List(pl.String), "leaks": pl.List(pl.String)}
    return pl.DataFrame(rows, schema_overrides=lists)


def scores(system: str, *values: float | None, standing: str = "calibrated") -> pl.DataFrame:
    rows = [{"judged_id": f"{system}{n}", "score": score} for n, score in enumerate(values)]
    told = {"criterion": "interviews.values", "judge": "j", "standing": standing, "agreement": 0.5}
    return pl.DataFrame([row | told for row in rows], schema_overrides={"score": pl.Float64})


def test_counts_are_by_system_and_kind() -> None:
    both = pl.concat(
        [answers("m", 3, 5, 0), answers("m", 4, flags=["cut_off", "cut_off"], leaks=["radio"], kind="multi")]
    )
    found = counts(named(both)).to_dicts()
    one = {"system": "m", "characters": 1}
    assert found == [
        one | {"kind": "multi", "answers": 1, "length": 4, "silent": 0, "flagged": 1, "leaking": 1},
        one | {"kind": "single", "answers": 3, "length": 3, "silent": 1, "flagged": 0, "leaking": 0},
    ]
    assert flagged(both).to_dicts() == [{"flag": "cut_off", "system": "m", "kind": "multi", "turns": 2}]


def test_answers_with_the_name_hidden_are_a_system_of_their_own() -> None:
    both = named(pl.concat([answers("m", 3), answers("m", 4, named="hidden")]))
    assert counts(both)["system"].to_list() == ["m", "m (name hidden)"]


def test_a_mean_has_an_interval_over_questions() -> None:
    [row] = means(scores("m", 3, 5, 7, None), answers("m", 1, 1, 1, 1)).to_dicts()
    assert (row["mean"], row["answers"], row["agreement"]) == (5, 3, 0.5)
    # Student's at 99 % with two degrees of freedom is 9.925 standard errors.
    assert row["high"] - row["mean"] == pytest.approx(9.925 * 2 / 3**0.5, rel=1e-4)


def test_several_answers_to_one_question_are_one_value_of_the_interval() -> None:
    twice = pl.concat([answers("m", 1), answers("m", 1).with_columns(sample_id=pl.lit("m1"))])
    [row] = means(scores("m", 3, 7), twice).to_dicts()
    assert (row["mean"], row["low"], row["answers"]) == (5, None, 2)


def test_scores_of_a_judge_that_is_not_calibrated_are_left_out() -> None:
    unknown = scores("m", 3, 5, standing="not calibrated")
    assert means(unknown, answers("m", 1, 1)).is_empty()
    assert differences(unknown, answers("m", 1, 1), "m", "m").is_empty()


def test_two_systems_are_compared_by_the_questions_that_both_answered() -> None:
    both = pl.concat([answers("m", 1, 1, 1), answers("n", 1, 1)])
    told = pl.concat([scores("m", 1, 4, 7), scores("n", 2, 5)])
    [row] = differences(told, both, "m", "n").to_dicts()
    assert (row["questions"], row["difference"]) == (2, 1)
    assert (row["low"], row["high"]) == (1, 1)  # each question is one higher, so nothing is left to chance


@given(st.lists(st.floats(1, 7), min_size=1, max_size=20))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    mean, low, high = interval(np.array(values))
    assert min(values) - 1e-9 <= mean <= max(values) + 1e-9
    assert (low is None) == (high is None) == (len(values) == 1)
    if low is not None and high is not None:
        assert low <= mean <= high


def test_frames_have_their_columns_where_there_is_nothing() -> None:
    none = answers("m", 1).clear()
    assert counts(named(none)).columns == [*COUNTS]
    assert flagged(none).columns == [*FLAGGED]
    nothing = scores("m", 1).clear()
    assert means(nothing, none).columns == [*MEANS]
    assert differences(nothing, none, "a", "b").columns == [*DIFFERENCES]


STANDING = {
    "criterion": "interviews.values",
    "judge": "j",
    "good": 9,
    "bad": 9,
    "auc": 0.9,
    "standing": "calibrated",
    "why": ".",
}
COUNT = counts(named(answers("m", 3))).to_dicts()


def titles(outcome: Outcome) -> list[str]:
    return [words(block.title) for block in blocks(outcome) if isinstance(block, Section)]


def test_the_report_shows_scores_beside_what_the_judge_is_worth() -> None:
    mean = means(scores("m", 3, 5), answers("m", 1, 1)).to_dicts()
    shown = titles(Outcome("ilse", COUNT, [], [], ["m"], [STANDING], mean))
    assert shown == ["What was answered", "Scores by j", "What the judges are worth", "What this can't show"]


def test_the_report_without_a_calibrated_judge_has_no_means() -> None:
    unknown = STANDING | {"auc": 0.5, "standing": "not calibrated"}
    assert titles(Outcome("ilse", COUNT, [], [], ["m"], [unknown])) == [
        "What was answered", "Scores", "What the judges are worth", "What this can't show"
    ]  # fmt: skip


def test_the_errors_of_a_judge_are_what_its_auc_lacks() -> None:
    [judge] = Outcome("ilse", COUNT, [], [], ["m"], [STANDING]).as_dict()["judges"]
    assert judge["error"] == pytest.approx(0.1)
