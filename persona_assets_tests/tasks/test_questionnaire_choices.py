"""Forced choices by a small model, whose numbers are scored."""

from pathlib import Path

import polars as pl

from persona_assets.lineage import Status, audit
from persona_assets_tests.engines.tiny_model import make_model
from persona_assets_tests.tasks.test_questionnaires import CHOICES, FORM, TOLD, made, place, rows


def test_a_model_that_is_scored_chooses_by_how_probable_it_finds_the_numbers(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    few = [one for one in TOLD["items"] if one["id"][1:] in ("0", "1")]
    shares = {"questionnaire_choices": 1.0}
    work = place(tmp_path, {**TOLD, "items": few}, shares=shares, engine="transformers", model=str(model))
    made(work, *FORM[:2], *CHOICES)
    choices = rows(work, "questionnaire_choices")
    assert choices.height == len(few) * 2 * 5
    assert (choices["logprob"] < 0).all()
    found = rows(work, "questionnaire_choice_scores").filter(pl.col("run").is_null())
    assert set(found["dimension"]) == {"energy", "execution"}
    assert found["score"].is_between(-1, 1).all()
    assert (found["items"] == 4).all()
    result = audit(work.lake, work.settings, found["sample_id"][0])
    assert {one.status for one in result.verifications} == {Status.OK}
