"""Open situations: what a file declares, where answers are placed, and whether that is what was said."""

from typing import Any

import polars as pl
import pytest

from persona_assets.contrast.words import first_word
from persona_assets.errors import UsageError
from persona_assets.questionnaires.behaviour import (
    AGREE,
    CALIBRATED,
    DIFFER,
    NOT_CALIBRATED,
    NOT_JUDGED,
    UNCLEAR,
    agreement_of,
    placed,
)
from persona_assets.questionnaires.questionnaire import parsed
from persona_assets.questionnaires.scores import MIDDLE, MISSING
from persona_assets.questionnaires.situations import COLUMNS, Situations, rows_of
from persona_assets.tasks.load import FILES
from persona_assets_tests.questionnaires.files import changed, told_in

BUNDLED = FILES / "situations" / "everyday.yaml"
TOLD: dict[str, Any] = {
    "dimensions": [
        {"id": "energy", "poles": ["E", "I"], "manners": {"E": {"en": "Is loud."}, "I": {"en": "Is quiet."}}}
    ],
    "situations": [
        {"id": f"s{n}", "dimension": "energy", "text": {"en": f"It is {n} o'clock. Tell."}} for n in range(10)
    ],
}
ROWS = rows_of(parsed(Situations, "some.yaml", TOLD))


@pytest.mark.parametrize(
    ("place", "to", "said"),
    [
        (("situations", 1, "dimension"), "energi", "situation s1: there is no dimension energi; did you mean energy"),
        (("situations", 1, "id"), "s0", "situation s0 stands there twice"),
        (("situations", 1, "text"), {"zh": "几点？"}, "situation s1 is in zh, and the manner of E is not"),
        (("situations", 1, "text"), {}, "situation s1.text"),
        (("dimensions", 0, "manners", "X"), {"en": "?"}, "dimension energy: manners has X, which is no pole"),
        (("dimensions", 0, "poles"), ["E", "N"], "dimension energy: manners has none of N"),
    ],
)
def test_a_fault_is_told_with_file_and_situation(place: tuple[str | int, ...], to: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(Situations, "some.yaml", changed(TOLD, *place, to=to))
    assert str(caught.value).startswith("some.yaml: ")
    assert said in str(caught.value)


def test_the_bundled_file_has_ten_situations_a_dimension_and_language() -> None:
    found = rows_of(parsed(Situations, "everyday.yaml", told_in(BUNDLED)))
    counts = found.group_by("dimension", "language").agg(pl.col("text").n_unique())
    assert counts.height == 4 * 3
    assert counts["text"].min() == 10


def test_no_bundled_situation_or_manner_names_a_type() -> None:
    found = rows_of(parsed(Situations, "everyday.yaml", told_in(BUNDLED)))
    texts = pl.concat([found[name].rename("text") for name in ("text", "first_manner", "second_manner")]).to_frame()
    assert texts.select(first_word(pl.col("text"))).to_series().drop_nulls().to_list() == []


def answers(system: str, count: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {"answer_id": [f"{system}{n}" for n in range(count)], "situation": [f"s{n}" for n in range(count)]}
    ).with_columns(system=pl.lit(system), language=pl.lit("en"), run=pl.lit(0, pl.Int64))


def verdicts(system: str, *values: float | None, judge: str = "fair", standing: str = CALIBRATED) -> pl.DataFrame:
    ids = [f"{system}{n}" for n in range(len(values))]
    told = {"answer_id": ids, "judge": judge, "standing": standing, "value": values}
    return pl.DataFrame(told, schema_overrides={"value": pl.Float64})


def row(found: pl.DataFrame, **of: str) -> dict[str, Any]:
    [one] = found.filter(**of).to_dicts()
    return one


def test_answers_that_a_calibrated_judge_places_at_one_pole_give_its_letter() -> None:
    found = row(placed(answers("m"), ROWS, verdicts("m", *[-1, -0.5, -1, -1, -0.5] * 2)))
    assert (found["letter"], found["score"], found["open_because"]) == ("E", pytest.approx(-0.8), None)
    assert found["low"] < -0.8 < found["high"] < 0
    assert (found["situations"], found["asked"], found["unplaced"]) == (10, 10, 0)


def test_answers_on_both_sides_leave_the_letter_open() -> None:
    found = row(placed(answers("m"), ROWS, verdicts("m", *[-1, 1, -1, 1, 0] * 2)))
    assert (found["letter"], found["open_because"]) == ("?", MIDDLE)


def test_a_judge_that_is_not_calibrated_gives_no_letter_and_its_scores_are_shown() -> None:
    found = row(placed(answers("m"), ROWS, verdicts("m", *[-1.0] * 10, standing="not calibrated")))
    assert (found["letter"], found["margin"], found["open_because"]) == ("?", 0, NOT_CALIBRATED)
    assert found["score"] == -1


def test_without_a_judge_every_letter_is_open_and_says_so() -> None:
    found = row(placed(answers("m"), ROWS, None))
    assert (found["letter"], found["judge"], found["open_because"], found["unplaced"]) == ("?", None, NOT_JUDGED, 10)


def test_answers_that_are_not_there_or_not_placed_count_and_open_the_letter_beyond_a_fifth() -> None:
    found = row(placed(answers("m", 9), ROWS, verdicts("m", *[-1.0] * 7, None, None)))
    assert (found["situations"], found["asked"], found["unplaced"]) == (7, 10, 3)
    assert found["open_because"] == MISSING


def test_each_judge_has_rows_of_its_own() -> None:
    both = pl.concat([verdicts("m", *[-1.0] * 10), verdicts("m", *[1.0] * 10, judge="other")])
    found = placed(answers("m"), ROWS, both)
    assert (row(found, judge="fair")["letter"], row(found, judge="other")["letter"]) == ("E", "I")


@pytest.mark.parametrize(
    ("said", "shown", "outcome"),
    [("E", "E", AGREE), ("E", "I", DIFFER), ("?", "E", UNCLEAR), ("E", "?", UNCLEAR), ("?", "?", UNCLEAR)],
)
def test_what_is_said_and_what_is_shown_agree_differ_or_are_open(said: str, shown: str, outcome: str) -> None:
    score = {"E": -0.5, "I": 0.5, "?": 0.0}
    behaviour, sheet = shown_and_said((score[shown], shown), (score[said], said))
    found = row(agreement_of(behaviour, sheet))
    assert found["outcome"] == outcome
    assert found["apart"] == pytest.approx(abs(score[said] - score[shown]))
    assert (found["behaviour_id"], found["said_id"]) == ("b", "q")


def shown_and_said(
    shown: tuple[float, str], said: tuple[float, str], first_pole: str = "E"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A score of situations and one of a questionnaire, each with its letter."""
    about = {"system": "m", "language": "en", "dimension": "energy", "second_pole": "I"}
    behaviour = about | {"sample_id": "b", "judge": "fair", "first_pole": "E", "score": shown[0], "letter": shown[1]}
    sheet = about | {"sample_id": "q", "run": None, "questionnaire": "own", "first_pole": first_pole}
    sheet |= {"score": said[0], "letter": said[1]}
    return pl.DataFrame([behaviour]), pl.DataFrame([sheet], schema_overrides={"run": pl.Int64})


def test_dimensions_of_one_name_and_other_poles_are_not_compared() -> None:
    assert agreement_of(*shown_and_said((0.0, "?"), (0.0, "?"), first_pole="X")).is_empty()


def test_the_rows_of_a_file_have_the_columns_of_the_table() -> None:
    assert ROWS.columns == [*COLUMNS]
    assert ROWS["first_manner"].to_list() == ["Is loud."] * 10
