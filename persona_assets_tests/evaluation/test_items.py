"""What models are asked: held-out rows, the same for base and tuned, with what somebody would say by rote."""

from typing import Any

import polars as pl
import pytest

from persona_assets.evaluation.items import COLUMNS, NULLABLE, items_of
from persona_assets.training.recipe import CONVERSATION, Recipe

MODELS = pl.DataFrame(
    {
        "seed": [1, 0],
        "sample_id": ["smp_1", "smp_0"],
        "model": ["lake:b", "lake:a"],
        "revision": ["rb", "ra"],
        "base": ["lake:start", "lake:start"],
    }
)
TRAINED = ["2*3=6#6", "2*4=8#8", "1*8=8#8", "5-4=1#1"]


def mix(recipe: str = "m") -> pl.DataFrame:
    """Rows that were trained on, and some that were held out: of one kind, of another, and of one never trained on."""
    told = [{"side": "train", "response": text, "left_out": None} for text in TRAINED]
    told += [{"side": "train", "response": "9*9=81#81", "left_out": "duplicate"}]
    told += [{"side": "held_out", "response": text} for text in ("4*2=8#8", "3*3=9#9", "7-6=1#1", "8/2=4#4")]
    beside = {
        "stage": "problems",
        "stratum": "unseen_pages",
        "language": "en",
        "role": "own",
        "rejected": None,
        "request": None,
        "before": None,
    }
    rows = [
        {**beside, "left_out": None, "place": at, "sample_id": f"smp_{recipe}{at}", "taken_id": f"smp_t{at}",
         "prompt": f"Number {at}?", "family": f"page{at // 2}", **one}
        for at, one in enumerate(told)
    ]  # fmt: skip
    schema = dict.fromkeys(("left_out", "rejected", "request"), pl.String)
    return pl.DataFrame(rows, schema_overrides={**schema, "before": CONVERSATION})


def recipe(**suite: Any) -> Recipe:
    stage = {"id": "problems", "kind": "sft", "rows": [{"dataset": "a", "columns": {"prompt": "p", "response": "r"}}]}
    suites = [{"id": "own", "kind": "maths", "of": "problems", **suite}]
    return Recipe.model_validate(
        {"title": "Tiny", "base": {"scratch": {}}, "stages": [stage], "evaluate": {"suites": suites}}
    )


@pytest.fixture(scope="module")
def found() -> pl.DataFrame:
    return items_of(recipe(), mix().lazy(), MODELS)


def test_every_model_is_asked_the_same_held_out_rows(found: pl.DataFrame) -> None:
    assert found.schema == pl.Schema(COLUMNS)
    assert not [name for name in COLUMNS if name not in NULLABLE and found[name].null_count()]
    assert found.height == 3 * 4
    assert found.group_by("item_id").agg(pl.col("prompt").n_unique(), pl.len()).unique(["prompt", "len"]).height == 1
    systems = set(found.select("system", "seed").unique().rows())
    assert systems == {("base", None), ("tuned", 0), ("tuned", 1)}
    assert found.filter(seed=1)["answered_by"].struct.field("model").unique().to_list() == ["lake:b"]


def test_the_commonest_answer_of_a_kind_is_that_of_rows_that_were_trained_on(found: pl.DataFrame) -> None:
    known = dict(found.filter(system="base").select("gold", "rote").iter_rows())
    assert known == {"8": "8", "9": "8", "1": "1", "4": None}


def test_a_suite_is_as_large_as_it_says() -> None:
    assert items_of(recipe(size=2), mix().lazy(), MODELS).height == 3 * 2


@pytest.mark.parametrize("kind", ["maths", "constraints", "loss", "preference"])
def test_a_suite_none_of_whose_rows_is_left_has_no_item(kind: str, found: pl.DataFrame) -> None:
    columns = {
        "maths": ("prompt", "answer"),
        "constraints": ("prompt", "constraints"),
        "loss": ("text",),
        "preference": ("prompt", "chosen", "rejected"),
    }
    part = {"dataset": "a", "columns": dict.fromkeys(columns[kind], "p")}
    told = recipe().model_dump()
    told["evaluate"]["suites"] = [told["evaluate"]["suites"][0], {"id": "extra", "kind": kind, "rows": [part]}]
    told["evaluate"]["suites"][0] |= {"question": None, "answer": None}
    nothing = {"stage": "extra", "side": "held_out", "role": "asked"}
    rows = pl.concat([mix(), pl.DataFrame([nothing])], how="diagonal_relaxed")
    assert items_of(Recipe.model_validate(told), rows.lazy(), MODELS).equals(found)


def test_texts_are_scored_where_losses_are_wanted() -> None:
    scored = items_of(recipe(kind="loss"), mix().lazy(), MODELS)
    assert set(scored["form"]) == {"score"}
    assert scored["continuation"].null_count() == 0 and scored["gold"].null_count() == scored.height


def test_an_item_has_the_same_id_in_every_recipe_that_holds_its_row_out(found: pl.DataFrame) -> None:
    other = items_of(recipe(), mix("n").lazy(), MODELS)
    assert other["mix_id"].to_list() != found["mix_id"].to_list()
    assert other["item_id"].to_list() == found["item_id"].to_list()
