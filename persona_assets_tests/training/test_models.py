"""What the id of a model is made of."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.lake import Lake
from persona_assets.training.mix import COLUMNS
from persona_assets.training.models import Models, NotTrained
from persona_assets.training.recipe import Recipe


def id_of(lake: Path, before: list[dict[str, str]] | None, *, talks: bool = True) -> str:
    """The id of a model that was trained on one row."""
    columns = {"messages": "messages"} if talks else {"prompt": "prompt", "response": "answer"}
    stage = {"id": "talks", "kind": "sft", "rows": [{"dataset": "dialogues", "columns": columns}]}
    row: dict[str, Any] = {"stage": "talks", "side": "train", "taken_id": "smp_1", "place": 0, "before": before}
    mix = pl.DataFrame([{**row, "prompt": "And then?", "response": "Nothing."}], schema=COLUMNS)
    recipe = Recipe.model_validate({"title": "Talks", "base": {"scratch": {}}, "stages": [stage]})
    with pytest.raises(NotTrained) as error:
        Models(Lake(str(lake))).trained(recipe, 0, mix.with_columns(sample_id=pl.lit("smp_2")).lazy(), None)
    return next(word for word in str(error.value).split() if word.startswith("mdl_"))


def test_what_was_said_before_shapes_a_model(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello."}]
    assert id_of(tmp_path, said) == id_of(tmp_path, said) != id_of(tmp_path, [])


def test_a_stage_without_conversations_has_the_id_that_it_always_had(tmp_path: Path) -> None:
    assert id_of(tmp_path, None, talks=False) == "mdl_a2716d5b949537ed5926699b5e15c8e7"
