"""The mix of a recipe: which rows each model is trained on, and which are held out for it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.constraints.constraint import Constraint, to_json
from persona_assets.contamination.index import BenchmarkIndex
from persona_assets.contamination.items import Item
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import Faults, UsageError
from persona_assets.graph import assets
from persona_assets.lake import Column, Parent, Table
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.state import NOT_CHOSEN, LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.split import split_of
from persona_assets.training.mix import (
    DUPLICATE,
    IN_BENCHMARK,
    NO_TEXT,
    NUMBERS,
    PAGES,
    TOO_LONG,
    TRAINED_ON,
    UNCHECKED,
    UNSEEN,
    VARIED,
    mix_shown,
    mixed,
    no_empty_stage,
    nothing_asked,
    too_few_general,
)
from persona_assets.training.recipe import Recipe
from persona_assets.view.blocks import Section
from persona_assets.view.markdown import render
from persona_assets_tests.plan.work import Work
from persona_assets_tests.rows import draft

BASE = {"scratch": {"hidden": 16, "layers": 1, "heads": 1, "vocabulary": 300, "length": 512}}
BEHAVIOUR: dict[str, Any] = {
    "id": "behaviour",
    "kind": "sft",
    "rows": [
        {
            "dataset": "preference_poles",
            "where": {"types": "{type}", "language": "{language}"},
            "columns": {"prompt": "prompt", "response": "chosen"},
        }
    ],
    "general": {
        "share": 0.25,
        "dataset": "pole_pairs",
        "where": {"language": "{language}"},
        "columns": {"prompt": "instruction", "response": "one"},
    },
}
PREFERENCE: dict[str, Any] = {
    "id": "preference",
    "kind": "dpo",
    "rows": [
        {**BEHAVIOUR["rows"][0], "columns": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}},
    ],
}
RECIPE: dict[str, Any] = {
    "title": "Two types",
    "base": BASE,
    "over": {"type": ["INTJ", "ENFP"], "language": ["en", "zh"]},
    "stages": [BEHAVIOUR, PREFERENCE],
}


class Letters:
    """Counts letters as tokens."""

    limit = 512

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


def table_of(name: str, rows: pl.LazyFrame, *parents: Parent) -> Table:
    columns = tuple(Column(column, dtype, "") for column, dtype in rows.collect_schema().items())
    return Table(name, "sample_id", columns, parents)


def rows_of(rows: list[tuple[str, str, list[str]]], **columns: Any) -> pl.LazyFrame:
    """Rows of both datasets that the recipe reads: none comes from a page, and no two have a text in common."""
    schema = {"sample_id": pl.String, "language": pl.String, "types": pl.List(pl.String)}
    texts = {
        name: pl.format("{} {}", pl.lit(name), "sample_id")
        for name in ("prompt", "chosen", "rejected", "instruction", "one")
    }
    told = {"shard": pl.lit("s"), "document_id": pl.lit(None, pl.String), "split": pl.lit("train"), **texts}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(**{**told, **columns}).lazy()


OWN = [(f"smp_{at}", "en" if at % 4 else "zh", ["INTJ"] if at % 2 else ["ENFP", "INTJ"]) for at in range(40)]
PAIRS = [(f"gen_{at}", "en" if at % 2 else "zh", list[str]()) for at in range(60)]
INTJ, ENFP = {"type": "INTJ", "language": "en"}, {"type": "ENFP", "language": "zh"}


def mix(
    recipe: Mapping[str, Any] = RECIPE,
    own: pl.LazyFrame | None = None,
    of: Mapping[str, str] = INTJ,
    share: float = 0.1,
) -> pl.DataFrame:
    frames = {"preference_poles": rows_of(OWN) if own is None else own, "pole_pairs": rows_of(PAIRS)}
    tables = {name: table_of(name, rows) for name, rows in frames.items()}
    told = Recipe.model_validate(recipe)
    return mixed(told, of, {name: frames[name] for name in told.tables}, tables, share, lambda _: Letters())


def trained(found: pl.DataFrame) -> pl.DataFrame:
    return found.filter(pl.col("side") == "train", pl.col("left_out").is_null(), pl.col("taken_id").is_not_null())


def taken(found: pl.DataFrame, stage: str = "behaviour", role: str = "own") -> list[str]:
    return trained(found).filter(stage=stage, role=role)["taken_id"].to_list()


def one(*, of: str = "preference_poles", **keys: Any) -> dict[str, Any]:
    """A recipe of one stage that takes all rows of a dataset, with these keys of its part."""
    part = {"dataset": of, "columns": {"prompt": "prompt", "response": "chosen"}, **keys}
    return {"title": "One", "base": BASE, "stages": [{"id": "all", "kind": "sft", "rows": [part]}]}


# Which rows


@pytest.mark.parametrize("of", [INTJ, ENFP])
def test_each_model_takes_the_rows_of_its_type_and_language_alone(of: dict[str, str]) -> None:
    found = mix(of=of)
    wanted = {name for name, code, types in OWN if code == of["language"] and of["type"] in types}
    for stage in ("behaviour", "preference"):
        assert set(taken(found, stage)) == wanted


def test_the_stages_have_the_order_of_the_recipe() -> None:
    found = mix().select("number", "stage", "kind").unique().sort("number").rows()
    assert found == [(1, "behaviour", "sft"), (2, "preference", "dpo")]


def test_texts_are_those_that_the_recipe_names() -> None:
    found = trained(mix()).filter(role="own")
    for row in found.iter_rows(named=True):
        assert row["prompt"] == f"prompt {row['taken_id']}"
        assert row["response"] == f"chosen {row['taken_id']}"
        assert row["rejected"] == (f"rejected {row['taken_id']}" if row["kind"] == "dpo" else None)
        assert row["tokens"] == len(row["prompt"]) + len(row["response"])


def test_a_text_may_be_put_together_of_several_columns() -> None:
    found = mix(one(columns={"prompt": "prompt", "response": "{chosen}#{one}!"}))
    row = trained(found).row(0, named=True)
    assert row["response"] == f"chosen {row['taken_id']}#one {row['taken_id']}!"


def test_a_text_may_stand_in_what_a_row_was_made_from() -> None:
    own = rows_of(OWN, parent_ids=pl.concat_list(pl.lit("gen_7")))
    frames = {"preference_poles": own, "pole_pairs": rows_of(PAIRS)}
    link = Parent("parent_ids", ("pole_pairs",), "sample_id", direct=True)
    tables = {
        "preference_poles": table_of("preference_poles", own, link),
        "pole_pairs": table_of("pole_pairs", frames["pole_pairs"]),
    }
    told = Recipe.model_validate(one(columns={"prompt": "pole_pairs.instruction", "response": "chosen"}))
    assert told.tables == ("preference_poles", "pole_pairs")
    found = mixed(told, {}, frames, tables, 0.1, lambda _: Letters())
    assert set(found["prompt"]) == {"instruction gen_7"}


@given(st.floats(0.05, 0.9), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_general_rows_are_the_share_of_the_stage_that_is_wanted(share: float, seed: int) -> None:
    stage = {**BEHAVIOUR, "general": {**BEHAVIOUR["general"], "share": share}}
    found = mix({**RECIPE, "stages": [stage], "seed": seed})
    own, general = taken(found), taken(found, role="general")
    wanted = round(len(own) * share / (1 - share))
    assert len(general) == min(wanted, 30)  # of which there are no more
    assert set(general) <= {name for name, language, _ in PAIRS if language == "en"}
    told = too_few_general(found.with_columns(shard=pl.lit("two")).lazy()).rows()
    assert told == ([("two", "behaviour", 30, wanted)] if wanted > 30 else [])


def test_no_row_stands_twice_in_a_stage_and_places_count_from_nought() -> None:
    twice = {**BEHAVIOUR, "rows": BEHAVIOUR["rows"] * 2, "general": {**BEHAVIOUR["rows"][0], "share": 0.5}}
    for found in (mix(), mix({**RECIPE, "stages": [twice]})):
        for _, part in found.group_by("stage"):
            assert part["taken_id"].is_unique().all()
            assert sorted(part["place"]) == list(range(part.height))


def test_the_order_of_rows_changes_nothing_and_another_seed_does() -> None:
    assert mix().equals(mix(own=rows_of(OWN[::-1])))
    other = mix({**RECIPE, "seed": 1})
    assert taken(mix()) != taken(other)
    assert sorted(taken(mix())) == sorted(taken(other))


@given(st.integers(1, 12))
@settings(max_examples=12, deadline=None)
def test_a_larger_part_holds_the_smaller_one(size: int) -> None:
    def sized(most: int) -> set[str]:
        return set(taken(mix(one(size=most)), "all"))

    assert len(sized(size)) == size
    assert sized(size) < sized(size + 1)


@given(st.integers(2, 30))
@settings(max_examples=12, deadline=None)
def test_strata_of_a_part_are_alike_in_number_as_far_as_there_are_rows(size: int) -> None:
    counts = trained(mix(one(size=size, strata=["language"])))["language"].value_counts()
    by = dict(counts.iter_rows())  # 30 rows are English, 10 Chinese
    assert by.get("zh", 0) == min(10, size // 2) or by.get("zh", 0) == min(10, -(-size // 2))
    assert sum(by.values()) == size


@given(st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_parts_are_to_each_other_as_their_weights(first: int, second: int) -> None:
    parts = [
        {**one()["stages"][0]["rows"][0], "weight": first},
        {"dataset": "pole_pairs", "weight": second, "columns": {"prompt": "instruction", "response": "one"}},
    ]
    found = trained(mix({**one(), "stages": [{"id": "all", "kind": "sft", "rows": parts}]}))
    counts = dict(found["dataset"].value_counts().iter_rows())
    whole = sum(counts.values())
    assert abs(counts["preference_poles"] - whole * first / (first + second)) <= 1
    assert counts["preference_poles"] == 40 or counts["pole_pairs"] >= 59  # the scarcer one is used up


def test_the_size_of_a_stage_is_the_most_of_its_own_rows() -> None:
    recipe = one()
    recipe["stages"][0]["size"] = 7
    assert len(taken(mix(recipe), "all")) == 7


# What is held out


def test_rows_that_are_held_out_are_trained_on_by_nobody() -> None:
    split = pl.when(pl.col("sample_id") < "smp_2").then(pl.lit("held_out")).otherwise(pl.lit("train"))
    found = mix(one(), own=rows_of(OWN, split=split))
    held = {name for name, *_ in OWN if name < "smp_2"}
    assert held
    assert not held & set(trained(found)["taken_id"])
    assert set(found.filter(side="held_out")["taken_id"]) == held
    assert set(found.filter(side="held_out")["stratum"]) == {PAGES}


def test_rows_of_a_page_and_rows_with_one_prompt_are_on_one_side_where_a_dataset_says_none() -> None:
    page = pl.when(pl.col("language") == "zh").then(pl.concat_str(pl.lit("doc_"), pl.col("sample_id").str.slice(-1)))
    own = rows_of(
        OWN,
        split=pl.lit(None, pl.String),
        document_id=page,
        prompt=pl.concat_str(pl.lit("p"), "language", pl.col("sample_id").str.slice(-1)),
    )
    found = mix(one(), own=own, share=0.5)
    assert set(found["side"]) == {"train", "held_out"}
    assert found.group_by("family").agg(sides=pl.col("side").n_unique())["sides"].max() == 1
    assert found["family"].n_unique() < found.height


def test_tuples_of_numbers_are_held_out_whole_and_no_row_with_one_of_them_is_trained_on() -> None:
    number = pl.col("sample_id").str.extract(r"(\d+)").cast(pl.Int64)
    own = rows_of(
        OWN,
        prompt=pl.format("{} bees and {} hives of {}", number % 5, number % 3, "sample_id").str.replace("smp_.*", ""),
        split=pl.when(number < 20).then(pl.lit("held_out")).otherwise(pl.lit("train")),
    )
    found = mix({**one(), "held_out": {"numbers": 0.4}}, own=own)
    numbers = found.with_columns(tuple=pl.col("prompt").str.extract_all(r"\d+").list.join(","))
    unseen = set(numbers.filter(stratum=NUMBERS)["tuple"])
    assert unseen
    assert not unseen & set(trained(numbers)["tuple"])
    assert set(numbers.filter(left_out=UNSEEN)["tuple"]) <= unseen | set(numbers.filter(left_out=UNSEEN)["tuple"])
    assert numbers.filter(left_out=UNSEEN).height
    assert not set(numbers.filter(stratum=PAGES)["tuple"]) & unseen


def test_of_what_is_held_out_no_more_is_kept_of_a_stratum_than_the_recipe_says() -> None:
    own = rows_of(OWN, split=pl.lit("held_out"))
    found = mix({**one(), "held_out": {"size": 6}}, own=own)
    assert found.filter(side="held_out").height == 6


# What is left out


def test_a_text_that_stands_there_before_is_left_out_and_what_is_trained_on_counts_before_what_is_held_out() -> None:
    held = pl.when(pl.col("sample_id") == "smp_1").then(pl.lit("held_out")).otherwise(pl.lit("train"))
    same = (
        pl.when(pl.col("sample_id").is_in(["smp_1", "smp_2", "smp_3"])).then(pl.lit("the same")).otherwise("sample_id")
    )
    found = mix(one(), own=rows_of(OWN, split=held, prompt=same, chosen=same.str.to_uppercase()))
    alike = found.filter(pl.col("taken_id").is_in(["smp_1", "smp_2", "smp_3"]))
    assert alike.filter(pl.col("left_out").is_null()).height == 1
    assert set(alike["left_out"].drop_nulls()) == {DUPLICATE}
    assert alike.filter(taken_id="smp_1")["left_out"].item() == DUPLICATE


def test_a_text_of_own_rows_counts_before_the_same_among_general_ones() -> None:
    recipe = {
        **one(),
        "stages": [{**one()["stages"][0], "general": {**BEHAVIOUR["general"], "where": {}, "share": 0.5}}],
    }
    alike = {"prompt": pl.lit("a"), "chosen": pl.lit("b"), "instruction": pl.lit("a"), "one": pl.lit("b")}
    frames = {"preference_poles": rows_of(OWN[:1], **alike), "pole_pairs": rows_of(PAIRS[:1], **alike)}
    tables = {name: table_of(name, rows) for name, rows in frames.items()}
    found = mixed(Recipe.model_validate(recipe), {}, frames, tables, 0.0, lambda _: Letters())
    assert dict(found.select("role", "left_out").iter_rows()) == {"own": None, "general": DUPLICATE}


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_a_row_without_a_text_is_left_out(text: str | None) -> None:
    empty = pl.when(pl.col("sample_id") == "smp_1").then(pl.lit(text, pl.String)).otherwise("sample_id")
    found = mix(one(), own=rows_of(OWN, chosen=empty))
    assert found.filter(left_out=NO_TEXT)["taken_id"].to_list() == ["smp_1"]


def test_a_row_that_is_longer_than_the_model_takes_is_left_out() -> None:
    long = pl.when(pl.col("sample_id") == "smp_1").then(pl.lit("x" * 600)).otherwise("sample_id")
    found = mix(one(), own=rows_of(OWN, chosen=long))
    assert found.filter(left_out=TOO_LONG)["taken_id"].to_list() == ["smp_1"]
    short = {**one(), "stages": [{**one()["stages"][0], "train": {"length": 20}}]}
    assert set(mix(short)["left_out"]) == {TOO_LONG}


def test_a_stage_without_rows_of_its_own_is_told_and_fails_the_gate() -> None:
    found = mix({**RECIPE, "over": {"type": ["XNTP"], "language": ["en"]}}, of={"type": "XNTP", "language": "en"})
    assert found.filter(pl.col("taken_id").is_null())["stage"].to_list() == ["behaviour", "preference"]
    assert no_empty_stage.function(found.lazy()).collect().height == 2
    assert no_empty_stage.function(mix().lazy()).collect().height == 0
    short = {**one(), "stages": [{**one()["stages"][0], "train": {"length": 8}}]}
    assert no_empty_stage.function(mix(short).lazy()).collect()["stage"].to_list() == ["all"]


# Files


def settings_of(folder: Path, recipe: Any) -> Settings:
    (folder / "tasks" / "recipes").mkdir(parents=True)
    (folder / "tasks" / "recipes" / "two.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps"), tasks=str(folder / "tasks"))


def changed(**parts: Any) -> dict[str, Any]:
    return {**RECIPE, "stages": [{**BEHAVIOUR, **parts}]}


def part(**keys: Any) -> list[dict[str, Any]]:
    return [{**BEHAVIOUR["rows"][0], **keys}]


@pytest.mark.parametrize(
    ("recipe", "place", "said"),
    [
        ({**RECIPE, "stages": []}, "stages", "at least 1 item"),
        ({**RECIPE, "seeds": [1, 1]}, "file", "seeds: give each once"),
        (changed(train={"epoch": 2}), "stages.0.train.epoch", "did you mean epochs?"),
        (changed(train={"lora": {}}), "file", "a model from scratch has nothing that adapters could be added to"),
        (changed(rows=[*part(weight=1), *part()]), "stages.0", "either all parts of `rows` have a weight, or none has"),
        ({**RECIPE, "stages": [BEHAVIOUR, BEHAVIOUR]}, "file", "two stages have one id"),
        ({**RECIPE, "over": {"type": []}}, "over", "type: give values, each once"),
        ({**RECIPE, "over": {"type": ["INTJ", "INTJ"], "language": ["en"]}}, "over", "type: give values, each once"),
        ({**RECIPE, "stage": []}, "stage", "did you mean stages?"),
        (changed(kind="rl"), "stages.0.kind", "'text', 'sft' or 'dpo'"),
        (changed(rows=[]), "stages.0.rows", "at least 1 item"),
        (changed(rows=part(dataset="preference_pole")), "stages.0.rows.0.dataset", "did you mean preference_poles?"),
        (
            changed(rows=part(where={"type": "{type}"})),
            "stages.0.rows.0.where.type",
            "no column type; did you mean types?",
        ),
        (changed(rows=part(where={"types": "{kind}"})), "stages.0.rows.0.where", "there is no kind under over"),
        (
            changed(rows=part(columns={"prompt": "prompt"})),
            "stages.0.rows.0.columns",
            "from prompt, response, or from messages: name each",
        ),
        (
            changed(rows=part(columns={"prompt": "prompt", "response": "chose"})),
            "stages.0.rows.0.columns.response",
            "no column of texts chose; did you mean chosen?",
        ),
        (
            changed(rows=part(columns={"prompt": "instructions.instruction", "response": "chosen"})),
            "stages.0.rows.0.columns.prompt",
            "preference_poles is not made from instructions",
        ),
        (changed(general={**BEHAVIOUR["general"], "share": 1}), "stages.0.general.share", "less than 1"),
        (changed(general={**BEHAVIOUR["general"], "shares": 1}), "stages.0.general.shares", "did you mean share?"),
    ],
)
def test_a_wrong_recipe_is_told_with_file_and_place(tmp_path: Path, recipe: Any, place: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        datasets(settings_of(tmp_path, recipe))
    assert "recipes/two.yaml:" in str(error.value)
    assert f": {place}: " in str(error.value)
    assert said in str(error.value)


def test_all_that_is_wrong_in_all_recipes_is_told_at_once(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        changed(rows=part(dataset="preference_pole"), general={**BEHAVIOUR["general"], "where": {"tongue": "en"}}),
    )
    (tmp_path / "tasks" / "recipes" / "other.yaml").write_text("title: x\nstages: []\n", encoding="utf-8")
    with pytest.raises(Faults) as error:
        datasets(settings)
    said = [str(one) for one in error.value.faults]
    assert len(said) == 3
    assert "other.yaml" in said[0]
    assert "preference_pole" in said[1]
    assert "general.where.tongue" in said[2]


def test_a_suite_is_of_a_stage_whose_kind_it_can_measure(tmp_path: Path) -> None:
    wrong = {**RECIPE, "evaluate": {"suites": [{"id": "a", "kind": "preference", "of": "behaviour"}]}}
    with pytest.raises(UsageError, match="preference is of a stage of dpo, and behaviour is sft"):
        datasets(settings_of(tmp_path, wrong))


def test_the_bundled_recipe_trains_each_type_in_each_language_in_the_stages_of_the_authors() -> None:
    told = Recipe.model_validate(yaml.safe_load((FILES / "recipes" / "types.yaml").read_text(encoding="utf-8")))
    types = {e + s + t + j for e in "EI" for s in "SN" for t in "TF" for j in "JP"}
    assert {(one["type"], one["language"]) for one in told.combinations} == {
        (a, b) for a in types for b in ("en", "zh")
    }
    stages = [("behaviour", "sft"), ("self_awareness", "sft"), ("preference", "dpo")]
    assert [(stage.id, stage.kind) for stage in told.stages] == stages
    assert all(stage.general for stage in told.stages)


# In the graph


def test_a_partition_hangs_on_what_its_own_recipe_reads_alone() -> None:
    mix = assets(Settings())["training_mix"]
    assert mix.reads_of("tiny") == ("recipes", "math_problems")
    assert set(mix.reads_of("types-INTJ-en")) < set(mix.reads)
    assert "math_problems" not in mix.reads_of("types-INTJ-en")


def test_nothing_is_trained_unless_a_recipe_is_named_and_then_no_other_is(tmp_path: Path) -> None:
    plain = Settings(lake=str(tmp_path / "lake"), datasets=("all",))
    state = LakeState(Work(tmp_path, plain).lake, plain)
    assert not {"recipes", "training_mix", "fine_tuned_model", "evaluation"} & state.chosen
    named = plain.model_copy(update={"datasets": ("evaluation",), "recipes": ("tiny",)})
    state = LakeState(Work(tmp_path, named).lake, named)
    assert {"recipes", "training_mix", "fine_tuned_model", "evaluation", "math_problems"} <= state.chosen
    assert "preference_poles" not in state.chosen
    standings = {key: state.of("recipes", key) for key in state.keys("recipes")}
    assert [key for key, one in standings.items() if one.why != NOT_CHOSEN] == ["tiny"]


@pytest.mark.parametrize(("recipes", "said"), [("rows", True), ("pages", False)])
def test_a_recipe_of_rows_that_come_from_no_page_needs_no_crawl(tmp_path: Path, recipes: str, said: bool) -> None:
    for name, dataset, columns in [
        ("rows", "external_rows", {"prompt": "prompt", "response": "response"}),
        ("pages", "math_problems", {"prompt": "problem", "response": "answer"}),
    ]:
        told = one(of=dataset, columns=columns)
        (tmp_path / "tasks" / "recipes").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tasks" / "recipes" / f"{name}.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    settings = Settings(lake=str(tmp_path / "lake"), tasks=str(tmp_path / "tasks"), datasets=("training_mix",))
    settings = settings.model_copy(update={"recipes": (recipes,)})
    assert LakeState(Work(tmp_path, settings).lake, settings).needs_no_crawl is said


@pytest.mark.parametrize(
    ("recipes", "said"),
    [((), "training_mix is made by recipes: name some by PERSONA_RECIPES"), (("tini",), "did you mean tiny?")],
)
def test_a_recipe_that_is_missing_or_unknown_is_told(tmp_path: Path, recipes: tuple[str, ...], said: str) -> None:
    settings = Settings(lake=str(tmp_path / "lake"), datasets=("training_mix",), recipes=recipes)
    with pytest.raises(UsageError) as error:
        LakeState(Work(tmp_path, settings).lake, settings)
    assert said in str(error.value)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("mixes")
    settings = settings_of(folder, RECIPE)
    (folder / "tasks" / "seeds").mkdir()
    seeds = ["Plan a quiet evening with old friends.", "How should we spend the lottery money?", "怎样安排周末郊游？"]
    told = [{"instruction": seed} for seed in seeds]
    (folder / "tasks" / "seeds" / "own.json").write_text(json.dumps(told), encoding="utf-8")
    chosen = {"datasets": ("training_mix",), "recipes": ("two-INTJ-en",)}
    work = Work(folder, settings.model_copy(update=chosen))
    state = LakeState(work.lake, work.settings)
    context = Context(work.lake, work.settings, OfflineEngine(work.settings), "run", keeper=state)
    for name in (name for name in state.assets if name in state.chosen):
        for key in (key for key in state.keys(name) if state.is_chosen(name, key)):
            list(state.assets[name].run(context, key))
    return work


def test_the_mix_passes_its_gates_and_a_row_is_audited_to_its_seed_file(work: Work) -> None:
    state = LakeState(work.lake, work.settings)
    table = state.assets["training_mix"].table
    assert work.lake.keys(table) == ["two-INTJ-en"]
    outcomes = run_gates(work.lake, draft(work.lake, table, "two-INTJ-en"), work.settings, state.around("training_mix"))
    assert [gate.name for gate in outcomes if not gate.passed] == []
    own = trained(work.lake.read(table, "two-INTJ-en")).filter(role="own")
    found = audit(work.lake, work.settings, own["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    ids = {node.id for node in found.nodes()}
    assert own["taken_id"][0] in ids
    assert {node.kind for node in found.nodes()} >= {"data_file"}


def test_the_ui_shows_what_each_stage_is_made_of(work: Work) -> None:
    table = datasets(work.settings)["training_mix"].table
    shown = render(Section("", mix_shown(work.lake.read(table, "two-INTJ-en"))))
    assert all(name in shown for name in ("behaviour", "preference", "preference_poles", "pole_pairs", "general"))
    assert render(Section("", mix_shown(mix().with_columns(shard=pl.lit("two")).clear())))


# Benchmarks

ITEM = "How many jars of honey fill the shelves of the old mill when each of them holds sixteen jars or a little more?"


def bench(*texts: str) -> BenchmarkIndex:
    return BenchmarkIndex(Item("own.jsonl", place, "", text) for place, text in enumerate(texts, 1))


def test_a_row_that_holds_a_piece_of_an_item_that_it_is_measured_by_is_left_out() -> None:
    held = pl.when(pl.col("sample_id") == "smp_1").then(pl.lit(f"Well. {ITEM}")).otherwise("sample_id")
    frames = {"preference_poles": rows_of(OWN, prompt=held)}
    tables = {name: table_of(name, rows) for name, rows in frames.items()}
    told = Recipe.model_validate(one())
    found = mixed(told, {}, frames, tables, 0.1, lambda _: Letters(), bench(ITEM, "Another question of some length."))
    assert found.filter(left_out=IN_BENCHMARK)["taken_id"].to_list() == ["smp_1"]


def test_a_recipe_that_trains_on_its_own_test_is_refused() -> None:
    frames = {"preference_poles": rows_of(OWN, prompt=pl.concat_str(pl.lit(f"{ITEM} "), "sample_id"))}
    tables = {name: table_of(name, rows) for name, rows in frames.items()}
    told = Recipe.model_validate(one())
    with pytest.raises(UsageError, match=r"40 of 40 rows that it trains on are in the benchmarks .*own\.jsonl"):
        mixed(told, {}, frames, tables, 0.1, lambda _: Letters(), bench(ITEM))


# Suites with rows of their own

NO_COMMAS = to_json((Constraint("no_commas", {}, "Use no commas."),))


def suite(kind: str = "loss", *, of: str = "pole_pairs", **keys: Any) -> dict[str, Any]:
    told = {"prompt": "instruction", "response": "one"}
    part = {"dataset": of, "columns": keys.pop("columns", told), **keys.pop("part", {})}
    return {"id": "extra", "kind": kind, "rows": [part], **keys}


def measured(*suites: dict[str, Any], **recipe: Any) -> dict[str, Any]:
    return {**one(), "evaluate": {"suites": list(suites)}, **recipe}


def asked_of(recipe: Mapping[str, Any], pairs: pl.LazyFrame, own: pl.LazyFrame | None = None) -> pl.DataFrame:
    """The mix of a recipe with a suite of `pole_pairs`, half of whose pages are held out."""
    frames = {"preference_poles": rows_of(OWN) if own is None else own, "pole_pairs": pairs}
    tables = {name: table_of(name, rows) for name, rows in frames.items()}
    return mixed(Recipe.model_validate(recipe), {}, frames, tables, 0.5, lambda _: Letters())


UNSPLIT = rows_of(PAIRS, split=pl.lit(None, pl.String))


def test_rows_of_a_suite_that_come_from_no_page_are_all_asked_and_none_is_trained_on() -> None:
    found = asked_of(measured(suite()), UNSPLIT)
    extra = found.filter(stage="extra")
    assert set(extra["taken_id"]) == {name for name, *_ in PAIRS}
    assert set(extra.select("number", "kind", "role", "side").unique().rows()) == {(2, "loss", "asked", "held_out")}
    assert extra["left_out"].null_count() == extra["stratum"].null_count() == extra.height
    assert trained(found).equals(trained(asked_of(one(), UNSPLIT)))
    assert no_empty_stage.function(found.with_columns(shard=pl.lit("two")).lazy()).collect().height == 0


def test_of_rows_that_come_from_pages_those_of_held_out_ones_are_asked_alone() -> None:
    page = pl.concat_str(pl.lit("doc_"), pl.col("sample_id").str.slice(-1))
    extra = asked_of(measured(suite()), rows_of(PAIRS, split=pl.lit(None, pl.String), document_id=page))
    asked = extra.filter(stage="extra")
    sides = dict(zip(map(str, range(10)), split_of(pl.Series([f"doc_{at}" for at in range(10)]), 0.5), strict=True))
    assert set(asked["taken_id"]) == {name for name, *_ in PAIRS if sides[name[-1]] == "held_out"}
    assert 0 < asked.height < len(PAIRS)
    assert set(asked["stratum"]) == {PAGES}


def test_of_rows_that_come_from_no_page_those_with_held_out_numbers_are_a_stratum() -> None:
    pairs = UNSPLIT.with_columns(instruction=pl.format("What is {} and 1?", pl.col("sample_id").str.slice(4)))
    extra = asked_of(measured(suite(), held_out={"numbers": 0.5}), pairs).filter(stage="extra")
    told = extra.group_by("prompt").agg(pl.col("stratum").unique())
    assert set(extra["stratum"]) == {NUMBERS, None}
    assert told["stratum"].list.len().to_list() == [1] * 60
    other = asked_of(measured(suite(), held_out={"numbers": 0.5}), pairs.with_columns(split=pl.lit("held_out")))
    known = other.filter(pl.col("stage") == "extra", pl.col("stratum") == NUMBERS)["taken_id"]
    assert set(extra.filter(stratum=NUMBERS)["taken_id"]) == set(known)


def test_a_dataset_says_itself_which_of_its_rows_are_held_out() -> None:
    split = pl.when(pl.col("language") == "zh").then(pl.lit("held_out")).otherwise(pl.lit("train"))
    found = asked_of(measured(suite()), rows_of(PAIRS, split=split)).filter(stage="extra")
    assert set(found["language"]) == {"zh"}


def test_what_is_trained_on_is_not_asked_white_space_and_case_aside() -> None:
    known = pl.when(pl.col("sample_id") == "gen_3").then(pl.lit("PROMPT\n smp_3 ")).otherwise("instruction")
    pairs = UNSPLIT.with_columns(instruction=known)
    found = asked_of(measured(suite()), pairs).filter(pl.col("stage") == "extra", pl.col("left_out").is_not_null())
    assert found.select("taken_id", "left_out").rows() == [("gen_3", TRAINED_ON)]


def test_every_variant_is_asked_alike() -> None:
    told = measured(suite(columns={"prompt": "prompt", "response": "one"}, of="preference_poles"))
    own = rows_of(OWN, split=pl.lit(None, pl.String))
    whole = mix(told, own, {}, 0.3).filter(stage="extra")
    assert set(whole["left_out"]) == {TRAINED_ON, None}
    varied = mix({**told, "variants": {"other": {"share": 0.25}}}, own, {"variant": "other"}, 0.3)
    assert varied.filter(stage="extra").select("taken_id", "left_out").equals(whole.select("taken_id", "left_out"))


@pytest.mark.parametrize("sizes", [{"size": 6}, {"part": {"size": 6}}])
def test_recipes_that_train_on_different_rows_are_asked_the_same(sizes: dict[str, Any]) -> None:
    def asked(where: dict[str, str], most: int) -> pl.DataFrame:
        told = measured(suite(columns={"prompt": "prompt", "response": "one"}, of="preference_poles", **sizes))
        told["stages"][0]["size"] = most
        told["stages"][0]["rows"][0]["where"] = where
        return mix(told, rows_of(OWN, split=pl.lit(None, pl.String)), {}, 0.3).filter(stage="extra")

    one_, other = asked({"language": "en"}, 5), asked({"language": "zh"}, 3)
    assert one_["taken_id"].equals(other["taken_id"])
    assert one_["left_out"].null_count() == one_.height == 6


@pytest.mark.parametrize("sizes", [{"size": 7}, {"part": {"size": 7}}])
def test_a_suite_has_no_more_rows_than_it_or_its_part_says(sizes: dict[str, Any]) -> None:
    assert asked_of(measured(suite(**sizes)), UNSPLIT).filter(stage="extra").height == 7


def test_strata_and_where_of_a_suite_are_those_of_a_stage() -> None:
    part = {"size": 10, "strata": ["language"]}
    counts = asked_of(measured(suite(part=part)), UNSPLIT).filter(stage="extra")["language"].value_counts()
    assert dict(counts.iter_rows()) == {"en": 5, "zh": 5}
    found = asked_of(measured(suite(part={"where": {"language": "zh"}})), UNSPLIT).filter(stage="extra")
    assert set(found["language"]) == {"zh"}


def test_constraints_stand_where_the_answer_does_and_the_request_beside_the_prompt() -> None:
    told = {"prompt": "instruction", "constraints": "one", "request": "chosen"}
    pairs = UNSPLIT.with_columns(one=pl.lit(NO_COMMAS))
    found = asked_of(measured(suite("constraints", columns=told)), pairs).filter(stage="extra")
    row = found.row(0, named=True)
    assert (row["response"], row["request"]) == (NO_COMMAS, f"chosen {row['taken_id']}")
    assert row["tokens"] == len(row["prompt"])  # what no model reads has none


@pytest.mark.parametrize(
    "constraints",
    ["[]", "no JSON", '[{"kind":"no_comma","args":{},"text":""}]', to_json((Constraint("repeats_request", {}, ""),))],
)
def test_constraints_that_no_program_can_check_are_left_out(constraints: str) -> None:
    told = {"prompt": "instruction", "constraints": "one"}
    some = pl.when(pl.col("sample_id") == "gen_3").then(pl.lit(constraints)).otherwise(pl.lit(NO_COMMAS))
    found = asked_of(measured(suite("constraints", columns=told)), UNSPLIT.with_columns(one=some))
    assert found.filter(left_out=UNCHECKED)["taken_id"].to_list() == ["gen_3"]


def test_texts_and_prompts_with_answers_may_stand_in_one_suite() -> None:
    told = suite(columns={"text": "one"})
    told["rows"].append(suite(part={"size": 5})["rows"][0])
    found = asked_of(measured(told), UNSPLIT).filter(stage="extra")
    assert found["left_out"].null_count() == found.height == 60  # a row stands once
    assert found["prompt"].null_count() == 60


def test_a_suite_of_which_no_row_is_left_is_told() -> None:
    own = rows_of(OWN, split=pl.lit(None, pl.String))
    for told in (suite(part={"where": {"language": "ru"}}), suite(of="preference_poles", columns=COLUMNS)):
        found = mix(measured(told), own, {}, 0.0).with_columns(shard=pl.lit("two"))
        assert nothing_asked(found.lazy()).select("shard", "stage").rows() == [("two", "extra")]
        assert "extra: nothing is asked" in render(Section("", mix_shown(found)))
    assert nothing_asked(asked_of(measured(suite()), UNSPLIT).with_columns(shard=pl.lit("two")).lazy()).height == 0


COLUMNS = {"prompt": "prompt", "response": "chosen"}


@pytest.mark.parametrize(
    ("evaluate", "place", "said"),
    [
        ([suite(of="pole_pair")], "evaluate.suites.0.rows.0.dataset", "did you mean pole_pairs?"),
        (
            [suite(columns={"prompt": "prompt"})],
            "evaluate.suites.0.rows.0.columns",
            "from prompt, response, or from messages, or from text",
        ),
        (
            [suite("constraints", columns={"prompt": "instruction", "constraints": "onne"})],
            "evaluate.suites.0.rows.0.columns.constraints",
            "no column of texts onne; did you mean one?",
        ),
        ([suite(part={"where": {"tongue": "en"}})], "evaluate.suites.0.rows.0.where.tongue", "no column tongue"),
        ([suite(part={"where": {"language": "{kind}"}})], "evaluate.suites.0.rows.0.where", "no kind under over"),
        ([suite(part={"strata": ["tongue"]})], "evaluate.suites.0.rows.0.strata", "no column tongue"),
        ([suite(part={"sizes": 1})], "evaluate.suites.0.rows.0.sizes", "did you mean size?"),
        ([suite(of="pole_pairs", id="behaviour")], "file", "is not called as a stage is"),
        ([{**suite(), "file": "own"}], "evaluate.suites.0", "either a stage, `of`, or a benchmark `file`, or `rows`"),
        ([{"id": "a", "kind": "constraints", "of": "behaviour"}], "evaluate.suites.0", "and not of a stage"),
        ([{"id": "a", "kind": "loss", "file": "own"}], "evaluate.suites.0", "and not of a file"),
        ([suite(answer="one")], "evaluate.suites.0", "columns of a benchmark `file`"),
    ],
)
def test_a_wrong_suite_is_told_with_file_and_place(tmp_path: Path, evaluate: Any, place: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        datasets(settings_of(tmp_path, {**RECIPE, "evaluate": {"suites": evaluate}}))
    assert re.search(rf"recipes/two\.yaml:\d+: {re.escape(place)}: ", str(error.value))
    assert said in str(error.value)


def test_the_bundled_recipe_is_measured_by_constraints() -> None:
    told = Recipe.model_validate(
        yaml.safe_load((FILES / "recipes" / "hub_instructions.yaml").read_text(encoding="utf-8"))
    )
    [suite] = told.asked
    assert suite.kind == "constraints"
    assert "instruction_constraints" in told.tables


def test_the_bundled_recipe_trains_on_conversations() -> None:
    path = FILES / "recipes" / "hub_instructions.yaml"
    told = Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert [stage.id for stage in told.stages if stage.talks] == ["conversations"]


# Conversations


def said(*turns: tuple[str, str]) -> pl.Expr:
    texts = [pl.format(text, "sample_id") if "{}" in text else pl.lit(text) for _, text in turns]
    return pl.concat_list(
        pl.struct(role=pl.lit(role), content=text) for (role, _), text in zip(turns, texts, strict=True)
    )


HELLO = [("user", "Hello, {}."), ("assistant", "Hello."), ("user", "Who is {}?"), ("assistant", "It is {}.")]


def talks(*turns: tuple[str, str], where: str = "", **columns: Any) -> pl.DataFrame:
    """The mix of a stage of conversations; those of rows whose id ends in `where` have these turns, others `HELLO`."""
    messages = said(*HELLO)
    if turns:
        messages = pl.when(pl.col("sample_id").str.ends_with(where)).then(said(*turns)).otherwise(messages)
    return mix(one(columns={"messages": "messages"}), rows_of(OWN, messages=messages, **columns))


def test_the_last_question_and_answer_of_a_conversation_stand_apart_from_what_was_said_before() -> None:
    found = talks(("system", "Be kind."), *HELLO)
    row = trained(found).row(0, named=True)
    name = row["taken_id"]
    assert (row["prompt"], row["response"]) == (f"Who is {name}?", f"It is {name}.")
    assert [(one["role"], one["content"]) for one in row["before"]] == [
        ("system", "Be kind."),
        ("user", f"Hello, {name}."),
        ("assistant", "Hello."),
    ]
    texts = f"Be kind.\nHello, {name}.\nHello.Who is {name}?It is {name}."
    assert row["tokens"] == len(texts)


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([("system", " "), *HELLO], None),
        ([*HELLO, ("user", "Thanks.")], "out_of_turn"),
        (HELLO[1:], "out_of_turn"),
        ([HELLO[0], *HELLO], "out_of_turn"),
        ([*HELLO[:2], ("tool", "12"), HELLO[3]], "out_of_turn"),
        ([HELLO[0], ("assistant", " "), *HELLO[2:]], NO_TEXT),
        ([("system", "Be kind.")], NO_TEXT),
    ],
)
def test_a_conversation_in_which_nobody_speaks_in_turn_is_left_out(
    turns: list[tuple[str, str]], reason: str | None
) -> None:
    found = talks(*turns, where="_17").filter(taken_id="smp_17")
    assert found["left_out"].to_list() == [reason]


def test_conversations_that_differ_before_their_last_question_are_not_alike() -> None:
    ends = [("user", "And then?"), ("assistant", "Nothing.")]
    assert trained(talks(*HELLO[:2], *ends)).height == len(OWN)
    assert talks(("user", "Hello."), ("assistant", "Hello."), *ends).filter(left_out=DUPLICATE).height > 0


def test_what_a_conversation_opens_with_is_not_asked() -> None:
    told = measured(suite(columns={"prompt": "instruction", "response": "one"}))
    told["stages"] = one(columns={"messages": "messages"})["stages"]
    pairs = UNSPLIT.with_columns(
        instruction=pl.when(pl.col("sample_id") == "gen_3").then(pl.lit("hello,  smp_3.")).otherwise("instruction")
    )
    found = asked_of(told, pairs, rows_of(OWN, messages=said(*HELLO)))
    assert found.filter(left_out=TRAINED_ON)["taken_id"].to_list() == ["gen_3"]


def test_conversations_of_a_suite_are_asked_with_what_was_said_before() -> None:
    found = asked_of(measured(suite(columns={"messages": "messages"})), UNSPLIT.with_columns(messages=said(*HELLO)))
    extra = found.filter(stage="extra")
    assert extra["before"].list.len().to_list() == [2] * len(PAIRS)
    assert extra["left_out"].null_count() == len(PAIRS)


def test_a_conversation_with_an_item_of_a_benchmark_anywhere_in_it_is_left_out() -> None:
    held = [("user", ITEM), ("assistant", "I do not know."), *HELLO]
    messages = pl.when(pl.col("sample_id") == "smp_17").then(said(*held)).otherwise(said(*HELLO))
    frames = {"preference_poles": rows_of(OWN, messages=messages)}
    tables = {name: table_of(name, rows) for name, rows in frames.items()}
    told = Recipe.model_validate(one(columns={"messages": "messages"}))
    found = mixed(told, {}, frames, tables, 0.1, lambda _: Letters(), bench(ITEM))
    assert found.filter(left_out=IN_BENCHMARK)["taken_id"].to_list() == ["smp_17"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"messages": "message"}, "character_training has no column of messages message; did you mean messages?"),
        ({"messages": "prompt"}, "character_training has no column of messages prompt"),
        ({"messages": "{prompt}"}, "is a column of messages"),
        ({"messages": "messages", "prompt": "prompt"}, "sft takes its texts from prompt, response, or from messages"),
    ],
)
def test_a_column_without_conversations_is_told(tmp_path: Path, columns: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        datasets(settings_of(tmp_path, one(of="character_training", columns=columns)))


def test_conversations_in_which_tools_are_called_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="messages of tool_dialogues have tool_call_id, tool_calls too"):
        datasets(settings_of(tmp_path, one(of="tool_dialogues", columns={"messages": "messages"})))


# Variants


def varied(variant: Mapping[str, Any], own: pl.LazyFrame, **parts: Any) -> pl.DataFrame:
    recipe = {**one(**parts), "variants": {"other": variant}}
    return mix(recipe, own=own, of={"variant": "other"})


PERSONAS = rows_of(OWN, persona_ids=pl.concat_list(pl.concat_str(pl.lit("per_"), pl.col("sample_id").str.slice(-1))))


def personas_of(rows: pl.DataFrame) -> dict[str, int]:
    """Rows that are trained on by persona, which is the last digit of a row's id."""
    counts = trained(rows)["taken_id"].str.slice(-1).value_counts()
    return dict(counts.iter_rows())


def test_a_recipe_has_a_partition_of_its_own_beside_one_for_each_variant(tmp_path: Path) -> None:
    told = {
        **RECIPE,
        "over": {"type": ["INTJ"], "language": ["en"]},
        "variants": {"no_zh": {"without": {"language": "zh"}}},
    }
    data = assets(settings_of(tmp_path, told))["recipes"].data
    assert data
    assert list(data.look().sources) == ["two-INTJ-en", "two-INTJ-en-no_zh"]


def test_a_variant_leaves_rows_out_that_have_a_value() -> None:
    found = varied({"without": {"language": "zh"}}, rows_of(OWN))
    assert set(trained(found)["language"]) == {"en"}
    assert set(found.filter(language="zh")["left_out"]) == {VARIED}


def test_a_variant_keeps_those_alone_that_have_a_value() -> None:
    assert set(trained(varied({"only": {"types": "ENFP"}}, rows_of(OWN)))["taken_id"]) == {
        name for name, _, types in OWN if "ENFP" in types
    }


def test_a_variant_may_tell_rows_by_their_crawl_release() -> None:
    shard = pl.when(pl.col("language") == "zh").then(pl.lit("old.0001")).otherwise(pl.lit("new.0000"))
    assert set(trained(varied({"without": {"dump": "old"}}, rows_of(OWN, shard=shard)))["language"]) == {"en"}


def test_what_is_held_out_is_the_same_in_a_variant() -> None:
    split = pl.when(pl.col("sample_id") < "smp_2").then(pl.lit("held_out")).otherwise(pl.lit("train"))
    own = rows_of(OWN, split=split)
    several = (mix(one(), own=own), varied({"without": {"language": "en"}, "share": 0.1}, own))
    held = [found.filter(side="held_out")["taken_id"].to_list() for found in several]
    assert held[0] == held[1] != []


def test_a_share_of_the_rows_is_kept_and_a_larger_one_holds_the_smaller_one() -> None:
    small, large = (set(trained(varied({"share": share}, rows_of(OWN)))["taken_id"]) for share in (0.25, 0.5))
    assert (len(small), len(large)) == (10, 20)
    assert small < large


def test_a_share_of_the_personas_is_kept_with_all_of_their_rows() -> None:
    assert personas_of(mix(one(), own=PERSONAS)) == dict.fromkeys(map(str, range(10)), 4)
    found = personas_of(varied({"personas": 0.3}, PERSONAS))
    assert set(found.values()) == {4}
    assert len(found) == 3
    assert set(found) < set(personas_of(varied({"personas": 0.6}, PERSONAS)))


def test_of_each_persona_no_more_rows_are_kept_than_a_variant_says() -> None:
    assert personas_of(varied({"per_persona": 1}, PERSONAS)) == dict.fromkeys(map(str, range(10)), 1)
    assert set(personas_of(varied({"per_persona": 2, "personas": 0.5}, PERSONAS)).values()) == {2}


def test_a_column_that_a_variant_names_and_no_dataset_has_is_told(tmp_path: Path) -> None:
    wrong = {**RECIPE, "variants": {"no": {"without": {"tongue": "zh"}}}}
    with pytest.raises(
        UsageError, match=r"two\.yaml:\d+: variants\.no\.without: preference_poles has no column tongue"
    ):
        datasets(settings_of(tmp_path, wrong))
