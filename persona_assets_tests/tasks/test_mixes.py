"""Recipes of training: which rows each model is trained on."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.mixes import Recipe, mix_shown, mixed, no_empty_stage, too_few_general
from persona_assets.view.blocks import Section
from persona_assets.view.markdown import render
from persona_assets_tests.plan.work import Work
from persona_assets_tests.rows import draft

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
        {
            **BEHAVIOUR["rows"][0],
            "columns": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
        }
    ],
}
RECIPE: dict[str, Any] = {
    "title": "Two types",
    "over": {"type": ["INTJ", "ENFP"], "language": ["en", "zh"]},
    "stages": [BEHAVIOUR, PREFERENCE],
}


def rows_of(rows: list[tuple[str, str, list[str]]], **columns: Any) -> pl.LazyFrame:
    schema = {"sample_id": pl.String, "language": pl.String, "types": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(shard=pl.lit("s"), **columns).lazy()


OWN = [(f"smp_{at}", "en" if at % 4 else "zh", ["INTJ"] if at % 2 else ["ENFP", "INTJ"]) for at in range(40)]
PAIRS = [(f"gen_{at}", "en" if at % 2 else "zh", list[str]()) for at in range(60)]
FILE = pl.LazyFrame({"row_id": ["row_1"]})


def mix(recipe: Mapping[str, Any] = RECIPE, own: pl.LazyFrame | None = None) -> pl.DataFrame:
    tables = {"preference_poles": rows_of(OWN) if own is None else own, "pole_pairs": rows_of(PAIRS)}
    return mixed(Recipe.model_validate(recipe), FILE, {name: tables[name] for name in Recipe(**recipe).datasets})


def of(found: pl.DataFrame, variant: str, stage: str = "behaviour", role: str = "own") -> list[str]:
    return found.filter(variant=variant, stage=stage, role=role)["taken_id"].to_list()


# Which rows


def test_each_model_takes_the_rows_of_its_type_and_language_alone() -> None:
    found = mix()
    assert set(found["variant"]) == {"INTJ.en", "INTJ.zh", "ENFP.en", "ENFP.zh"}
    for variant in set(found["variant"]):
        kind, language = variant.split(".")
        wanted = {name for name, code, types in OWN if code == language and kind in types}
        for stage in ("behaviour", "preference"):
            assert set(of(found, variant, stage)) == wanted, (variant, stage)


def test_the_stages_have_the_order_of_the_recipe() -> None:
    found = mix().select("number", "stage", "kind").unique().sort("number").rows()
    assert found == [(1, "behaviour", "sft"), (2, "preference", "dpo")]


@given(st.floats(0.05, 0.9), st.integers(0, 3))
def test_general_rows_are_the_share_of_the_stage_that_is_wanted(share: float, seed: int) -> None:
    stage = {**BEHAVIOUR, "general": {**BEHAVIOUR["general"], "share": share}}
    found = mix({**RECIPE, "stages": [stage], "seed": seed})
    for variant in ("INTJ.en", "ENFP.zh"):
        own, general = of(found, variant), of(found, variant, role="general")
        wanted = round(len(own) * share / (1 - share))
        assert len(general) == min(wanted, 30)  # of which there are no more
        assert set(general) <= {name for name, language, _ in PAIRS if language == variant[-2:]}
        told = too_few_general(found.filter(variant=variant).lazy()).rows()
        assert told == ([("behaviour", 1, variant, 30, wanted)] if wanted > 30 else [])


def test_stages_without_any_general_row_are_told_with_the_model_that_lacks_most() -> None:
    found = mix({**RECIPE, "stages": [{**BEHAVIOUR, "general": {**BEHAVIOUR["general"], "where": {"language": "ru"}}}]})
    assert too_few_general(found.lazy()).rows() == [("behaviour", 4, "INTJ.en", 0, 10)]
    assert "4 models have fewer general rows than wanted, INTJ.en 0 of 10." in render(Section("", mix_shown(found)))


def test_no_row_stands_twice_in_a_stage_and_places_count_from_nought() -> None:
    twice = {**BEHAVIOUR, "rows": BEHAVIOUR["rows"] * 2, "general": {**BEHAVIOUR["rows"][0], "share": 0.5}}
    for found in (mix(), mix({**RECIPE, "stages": [twice]})):
        for _, part in found.group_by("variant", "stage"):
            assert part["taken_id"].is_unique().all()
            assert sorted(part["place"]) == list(range(part.height))


def test_the_order_of_rows_changes_nothing_and_another_seed_does() -> None:
    other = mix(own=rows_of(OWN[::-1]))
    assert mix().sort("variant", "stage", "place").equals(other.sort("variant", "stage", "place"))
    assert of(mix(), "INTJ.en") != of(mix({**RECIPE, "seed": 1}), "INTJ.en")
    assert sorted(of(mix(), "INTJ.en")) == sorted(of(mix({**RECIPE, "seed": 1}), "INTJ.en"))


@given(st.integers(1, 12))
def test_a_larger_part_holds_the_smaller_one(size: int) -> None:
    def sized(most: int) -> set[str]:
        part = {**BEHAVIOUR["rows"][0], "size": most}
        return set(of(mix({**RECIPE, "stages": [{**BEHAVIOUR, "rows": [part]}]}), "INTJ.en"))

    assert len(sized(size)) == size
    assert sized(size) < sized(size + 1)


def test_rows_that_are_held_out_are_trained_on_by_nobody() -> None:
    split = pl.when(pl.col("sample_id") < "smp_2").then(pl.lit("held_out")).otherwise(pl.lit("train"))
    found = mix(own=rows_of(OWN, split=split))
    held = {name for name, *_ in OWN if name < "smp_2"}
    assert held
    assert not held & set(found["taken_id"])


def test_a_stage_without_rows_is_told_and_fails_the_gate() -> None:
    found = mix({**RECIPE, "over": {"type": ["INTJ", "XNTP"], "language": ["en"]}})
    empty = found.filter(pl.col("taken_id").is_null())
    assert Counter(empty.select("variant", "stage").rows()) == {
        ("XNTP.en", "behaviour"): 1,
        ("XNTP.en", "preference"): 1,
    }
    assert no_empty_stage.function(found.lazy()).collect().height == 2
    assert no_empty_stage.function(mix().lazy()).collect().height == 0


def test_a_recipe_without_over_trains_one_model() -> None:
    part = {**BEHAVIOUR["rows"][0], "where": {"language": ["en", "zh"]}}
    found = mix({"title": "One", "stages": [{"id": "all", "kind": "sft", "rows": [part]}]})
    assert set(found["variant"]) == {"all"}
    assert set(found["taken_id"]) == {name for name, *_ in OWN}


# Files


def settings_of(folder: Path, recipe: Any) -> Settings:
    (folder / "tasks" / "recipes").mkdir(parents=True)
    (folder / "tasks" / "recipes" / "two.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps"), tasks=str(folder / "tasks"))


def changed(**parts: Any) -> dict[str, Any]:
    return {**RECIPE, "stages": [{**BEHAVIOUR, **parts}]}


def part(**keys: Any) -> list[dict[str, Any]]:
    return [{**BEHAVIOUR["rows"][0], **keys}]


@pytest.mark.parametrize(
    ("recipe", "place", "said"),
    [
        ({**RECIPE, "stages": []}, "stages", "at least 1 item"),
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
            "from prompt, response: name each",
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


def test_the_name_of_another_asset_is_taken(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, RECIPE)
    own = "import polars as pl\nfrom persona_assets.tasks.derived import derived\n\n\n"
    own += "@derived(reads='instructions', columns={}, description='x')\ndef two_mix(rows):\n    return rows\n"
    (tmp_path / "tasks" / "own.py").write_text(own, encoding="utf-8")
    with pytest.raises(UsageError, match=r"recipes/two\.yaml: the name two_mix is taken by .*own\.py"):
        datasets(settings)


def test_the_bundled_recipe_trains_each_type_in_each_language_in_the_stages_of_the_authors() -> None:
    told = Recipe.model_validate(yaml.safe_load((FILES / "recipes" / "types.yaml").read_text(encoding="utf-8")))
    types = {e + s + t + j for e in "EI" for s in "SN" for t in "TF" for j in "JP"}
    assert {name for name, _ in told.variants} == {f"{one}.{language}" for one in types for language in ("en", "zh")}
    stages = [("behaviour", "sft"), ("self_awareness", "sft"), ("preference", "dpo")]
    assert [(stage.id, stage.kind) for stage in told.stages] == stages
    assert all(stage.general for stage in told.stages)
    assert "types_mix" in datasets(Settings())


# In the graph


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("mixes")
    settings = settings_of(folder, RECIPE)
    (folder / "tasks" / "seeds").mkdir()
    seeds = ["Plan a quiet evening with old friends.", "How should we spend the lottery money?", "怎样安排周末郊游？"]
    told = [{"instruction": seed} for seed in seeds]
    (folder / "tasks" / "seeds" / "own.json").write_text(json.dumps(told), encoding="utf-8")
    work = Work(folder, settings.model_copy(update={"datasets": ("two_mix",)}))
    state = LakeState(work.lake, work.settings)
    context = Context(work.lake, work.settings, OfflineEngine(work.settings), "run", keeper=state)
    wanted = {"two_mix"}
    while above := {one for name in wanted for one in state.assets[name].reads} - wanted:
        wanted |= above
    for name in state.assets:
        if name in wanted:
            for key in state.keys(name):
                list(state.assets[name].run(context, key))
    return work


def test_the_mix_passes_its_gates_and_a_row_is_audited_to_its_seed_file(work: Work) -> None:
    state = LakeState(work.lake, work.settings)
    table = state.assets["two_mix"].table
    outcomes = run_gates(work.lake, draft(work.lake, table, "two"), work.settings, state.around("two_mix"))
    assert [gate.name for gate in outcomes if not gate.passed] == []
    own = work.lake.read(table, "two").filter(role="own")
    found = audit(work.lake, work.settings, own["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    ids = {node.id for node in found.nodes()}
    assert own["taken_id"][0] in ids
    assert {node.kind for node in found.nodes()} >= {"data_file"}


def test_the_ui_shows_what_each_stage_is_made_of(work: Work) -> None:
    shown = render(Section("", mix_shown(work.lake.read(datasets(work.settings)["two_mix"].table, "two"))))
    assert all(name in shown for name in ("behaviour", "preference", "preference_poles", "pole_pairs", "general"))
    assert render(Section("", mix_shown(mix().clear())))
