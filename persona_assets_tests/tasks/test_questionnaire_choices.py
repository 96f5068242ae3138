"""Forced choices by a small model, whose numbers are scored."""

from pathlib import Path

import polars as pl
import pytest

from persona_assets.cli.questionnaire import show_questionnaire
from persona_assets.lineage import Status, audit
from persona_assets_tests.engines.tiny_model import make_model
from persona_assets_tests.tasks.test_questionnaires import CHOICES, FORM, KEY, TOLD, made, place, rows

MODELS = """
models:
  one: {engine: transformers, model: MODEL}
  two: {engine: transformers, model: MODEL, seed: 1}
"""


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


def test_what_systems_chose_is_shown_where_nobody_filled_in_a_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_model(tmp_path / "model")
    (tmp_path / "models.yaml").write_text(MODELS.replace("MODEL", str(model)), encoding="utf-8")
    work = place(
        tmp_path,
        {**TOLD, "items": [one for one in TOLD["items"] if one["id"][1:] in ("0", "1")]},
        shares={"questionnaire_choices": 1.0},
        models=str(tmp_path / "models.yaml"),
        systems={"questionnaire_choices": ("one", "two")},
    )
    made(work, *FORM[:2], *CHOICES)
    later = work.settings.model_copy(update={"systems": {}, "models": ""})  # names nobody any more
    show_questionnaire(later, KEY, ("one", "two"), as_json=False, html=None)
    told = capsys.readouterr().out
    assert "Forced choice" in told and "two less one" in told
    assert "What they say of themselves" not in told
