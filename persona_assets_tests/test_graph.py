"""The declared graph, and what is in the recipe of which asset."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from persona_assets.engines.select import make_engine
from persona_assets.graph import Recipe, assets, changes, chosen, identity_of, recipe_digest
from persona_assets.personas import given_names, taxonomy
from persona_assets.rules.registry import rules
from persona_assets.settings import WORDS, Settings, shapes_of
from persona_assets.tasks import load, validity
from persona_assets.tasks.load import FILES, load_tasks
from persona_assets_tests.shaping import (
    ASKING,
    DATA_SETS,
    OTHERS,
    SHAPING,
    TASKS,
    all_assets,
    another,
    changes_of_settings,
    declared,
)


def recipes(**values: Any) -> dict[str, Recipe]:
    settings = Settings(**values)
    return {name: asset.recipe(settings, asset.identity(settings)) for name, asset in assets(settings).items()}


def differing(old: dict[str, Recipe], new: dict[str, Recipe]) -> set[str]:
    return {name for name in old if recipe_digest(old[name]) != recipe_digest(new[name])}


# The graph


def test_assets_come_after_what_they_read() -> None:
    before: set[str] = set()
    for name, asset in all_assets().items():
        assert set(asset.reads) <= before
        before.add(name)
    assert set(before) > {"raw_documents", "deduped_personas", *TASKS}


def test_those_that_ask_have_a_step_that_writes_their_table() -> None:
    found = all_assets()
    assert {name for name, asset in found.items() if asset.step} == set(ASKING)
    assert all(asset.step.table == asset.table for asset in found.values() if asset.step)
    with pytest.raises(ValueError, match="extracted_personas asks a model"):
        found["extracted_personas"].recipe(Settings(), None)


# One setting at a time


def test_every_setting_declares_whose_rows_it_shapes(tmp_path: Path) -> None:
    known = {*all_assets(), *WORDS}
    assert all(shapes_of(name) <= known for name in Settings.model_fields)
    assert set(changes_of_settings(tmp_path)) == set(SHAPING), "give each a change to test it by, in shaping.py"


@pytest.mark.parametrize("name", SHAPING)
def test_a_setting_that_shapes_rows_is_in_the_recipe_of_these_assets_alone(name: str, tmp_path: Path) -> None:
    change = changes_of_settings(tmp_path)[name]
    old, new = recipes(**change.under), recipes(**change.under | {name: change.value})
    assert differing(old, new) == declared(name, all_assets(**change.under))
    assert all(changes(old[asset], new[asset]) for asset in differing(old, new))


@pytest.mark.parametrize("name", OTHERS)
def test_another_setting_is_in_no_recipe(name: str, tmp_path: Path) -> None:
    own = {"tasks": tmp_path, "views": tmp_path, "profiles": FILES / "casts"}  # a table has the columns of its files
    value = str(own[name]) if name in own else another(name)
    for engine in ({}, {"engine": "openai", "model": "m"}):
        assert not differing(recipes(**engine), recipes(**engine, **{name: value}))


def test_what_the_engine_does_not_look_at_is_in_no_recipe() -> None:
    openai = {"engine": "openai", "model": "m"}
    reads = {
        "filtered_personas",
        "persona_survivors",
        "behaviour",
        "pole_probe",
        "self_awareness",
        "character_lines",
        "interview_answers",
    }  # the encoder, not the engine
    assert differing(recipes(**openai), recipes(**openai, encoder="e")) == reads
    assert not differing(recipes(), recipes(model="m", model_revision="r"))


# Gates


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("max_reject_rate", {"raw_documents", "filtered_personas", *ASKING, *DATA_SETS}),
        ("max_parse_failure_rate", set(ASKING)),
        ("min_language_share", {"raw_documents"}),
        ("lexical_threshold", {"deduped_personas"}),
    ],
)
def test_a_threshold_is_in_the_gates_of_its_assets_alone(name: str, expected: set[str]) -> None:
    found, old, new = all_assets(), Settings(), Settings(**{name: 0.123})
    assert {asset.name for asset in found.values() if name in asset.gate_settings} == expected
    assert {key for key, asset in found.items() if asset.gates_recipe(old) != asset.gates_recipe(new)} == expected


def test_gates_are_named_with_their_thresholds_and_their_sql() -> None:
    gates = all_assets()["filtered_personas"].gates_recipe(Settings())
    assert gates["thresholds"] == {"max_reject_rate": 0.6}
    assert {"accounted", "reject_rate"} < gates["checks"].keys()


# Task files


def own(folder: Path, old: str = "", new: str = "") -> dict[str, Recipe]:
    """Recipes with two tasks more, in one of which some text is replaced."""
    text = (FILES / "math_problems.yaml").read_text(encoding="utf-8")
    for name in ("own", "other"):
        changed = text.replace(old, new, 1) if name == "own" and old else text
        assert changed != text or name == "other" or not old
        (folder / f"{name}.yaml").write_text(changed.replace("name: math_problems", f"name: {name}"), encoding="utf-8")
    return recipes(tasks=str(folder))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Rules:", "Rules of the game:", ["prompt"]),
        ("\nversion: ", "\nversion: 9", ["prompt"]),
        (
            "validity:\n",
            "validity:\n  - {rule: max_words, args: {field: problem, words: 9}}\n",
            ["rule max_words: new"],
        ),
        ("words: 4}", "words: 45}", ["rule min_words: field problem words 4, now field problem words 45"]),
        ("  - {rule: no_refusal, args: {field: problem}}\n", "", ["rule no_refusal: removed"]),
        ("reads: persona", "reads: language", ["model revision"]),
        ("kind: task", "kind: task\ntarget: 5", ["target: none, now 5"]),
        ("kind: task", "kind: task\nsampling: {temperature: 0.1}", ["temperature: 0.7, now 0.1"]),
        ("title: ", "title: New ", []),
    ],
)
def test_a_task_file_shapes_its_own_rows_alone(old: str, new: str, said: list[str], tmp_path: Path) -> None:
    before, after = own(tmp_path), own(tmp_path, old, new)
    assert differing(before, after) == ({"own"} if said else set())
    assert changes(before["own"], after["own"]) == said


def test_the_version_of_a_rule_is_in_the_recipes_of_the_tasks_that_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before, rule = recipes(), rules("sample")["has_number"]
    known = {**rules("sample"), "has_number": replace(rule, version=rule.version + 1)}
    with monkeypatch.context() as patch:
        patch.setattr(validity, "rules", lambda of: known)
        load._bundled.cache_clear()
        after = recipes()
    load._bundled.cache_clear()
    using = {
        name for name, one in load_tasks(Settings()).items() if "has_number" in {rule.rule for rule in one.validity}
    }
    assert differing(before, after) == using >= {"math_problems"}
    said = f"rule has_number: version {rule.version}, now {rule.version + 1}"
    assert changes(before["math_problems"], after["math_problems"]) == [said]


def test_the_taxonomy_is_in_the_recipe_of_what_draws_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before, relations = recipes(), taxonomy.taxonomy()
    monkeypatch.setattr(taxonomy, "taxonomy", lambda: relations[:-1])
    after = recipes()
    assert differing(before, after) == {"expanded_personas"}
    assert changes(before["expanded_personas"], after["expanded_personas"]) == ["taxonomy"]


def test_the_given_names_are_in_the_recipes_of_what_the_persona_rules_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    before, names = recipes(), given_names.given_names()
    monkeypatch.setattr(given_names, "given_names", lambda: names - {"jennifer"})
    after = recipes()
    assert differing(before, after) == {"expanded_personas", "filtered_personas"}
    assert changes(before["filtered_personas"], after["filtered_personas"]) == ["given_names"]


# Models


def test_a_model_for_one_asset_is_in_its_recipe_alone(tmp_path: Path) -> None:
    text = "models: {small: {engine: openai, model: small-7b}}\nassets: {math_problems: small}\n"
    (tmp_path / "models.yaml").write_text(text)
    before, after = recipes(), recipes(models=str(tmp_path / "models.yaml"))
    assert differing(before, after) == {"math_problems"}
    assert changes(before["math_problems"], after["math_problems"]) == ["model: offline, now small-7b"]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"encoder": "another"},
        {"engine": "openai", "model": "m", "model_revision": "r"},
        {"engine": "openai", "model": "m", "batch": True},
        {"engine": "vllm", "model": "named/model"},
        {"engine": "vllm", "model": "."},
        {"engine": "vllm", "model": ".", "model_revision": "r"},
        {"engine": "transformers", "model": "named/model"},
        {"engine": "transformers", "model": "."},
    ],
)
def test_the_identity_is_that_of_the_engine(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"weights")
    settings = Settings(lake=str(tmp_path / "lake"), **values)
    template = all_assets()["math_problems"].step.template  # type: ignore[union-attr]
    assert identity_of(settings, template) == make_engine(settings).identity(template)


def test_weights_that_were_trained_on_are_another_model(tmp_path: Path) -> None:
    settings = Settings(engine="vllm", model=str(tmp_path))
    asset = all_assets()["math_problems"]
    (tmp_path / "weights.bin").write_bytes(b"weights")
    before = asset.identity(settings)
    (tmp_path / "weights.bin").write_bytes(b"further weights")
    assert asset.identity(settings) != before


def test_recipes_need_no_heavy_library() -> None:
    heavy = "torch transformers openvino sentence_transformers vllm pyreqwest dagster".split()  # noqa: SIM905
    program = f"""
import sys
from dataclasses import replace
from persona_assets.graph import assets
from persona_assets.settings import Settings
for settings in [Settings(), *(Settings(engine=engine, model="m") for engine in ("openai", "vllm", "transformers"))]:
    for asset in assets(settings).values():
        asset.recipe(settings, asset.identity(settings))
sys.stdout.write(", ".join(name for name in {heavy} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_types_are_named_as_in_the_records_that_stand() -> None:
    """Where a new Polars names types otherwise, name them here as before, or every partition would count as stale."""
    schema = recipes()["math_problems"]["schema"]
    assert schema["persona_ids"] == "List(String)"
    assert schema["created_at"] == "Datetime(time_unit='us', time_zone='UTC')"
    assert recipes()["raw_documents"]["schema"]["language_confidence"] == "Float32"


# In words


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"code": 1}, {"code": 2}, ["code: version 1, now 2"]),
        ({"settings": {"hops": 2}}, {"settings": {"hops": 3}}, ["setting hops: 2, now 3"]),
        ({"settings": {"semantic": True}}, {"settings": {"semantic": False}}, ["setting semantic: true, now false"]),
        ({"settings": {"fanout": [2, 1]}}, {"settings": {"fanout": [3]}}, ["setting fanout: 2,1, now 3"]),
        ({"settings": {}}, {"settings": {"hops": 3}}, ["setting hops: new, 3"]),
        ({"settings": {"hops": 3}}, {}, ["setting hops: removed, was 3"]),
        (
            {"schema": {"a": "String"}},
            {"schema": {"b": "Int64"}},
            ["column b: new, Int64", "column a: removed, was String"],
        ),
        ({"prompt": "0"}, {"prompt": "1"}, ["prompt"]),
        ({"taxonomy": "0"}, {"taxonomy": "1"}, ["taxonomy"]),
        ({"target": 5}, {"target": 9}, ["target: 5, now 9"]),
        ({"target": None}, {"target": 9}, ["target: none, now 9"]),
        (
            {"model": {"model": "small", "revision": "a"}},
            {"model": {"model": "large", "revision": "b"}},
            ["model: small, now large"],
        ),
        (
            {"model": {"model": "small", "revision": "a"}},
            {"model": {"model": "small", "revision": "b"}},
            ["model revision: a, now b"],
        ),
        ({"sampling": {"seed": 0, "top_p": 1}}, {"sampling": {"seed": 1, "top_p": 1}}, ["seed: 0, now 1"]),
        (
            {"rules": [{"rule": "a", "args": {}, "version": 1}, {"rule": "b", "args": {}, "version": 1}]},
            {"rules": [{"rule": "b", "args": {}, "version": 1}, {"rule": "a", "args": {}, "version": 1}]},
            ["order of the rules"],
        ),
        (
            {"settings": {"columns": "text=" + "x" * 90}},
            {"settings": {"columns": None}},
            ["setting columns: text=" + "x" * 32 + "..., now none"],
        ),
        ({"code": 1}, {"code": 1}, []),
    ],
)
def test_what_changed_is_told_in_words(old: Recipe, new: Recipe, said: list[str]) -> None:
    assert changes(old, new) == said


def test_what_comes_with_the_package_is_made_where_it_is_chosen_alone() -> None:
    graph = all_assets()
    found = chosen(graph, ["math_problems"])
    assert {name for name in found if graph[name].is_bundled} == {"math_problems"}
    assert "preference_poles" in chosen(graph, ["all"])
    assert "training_mix" not in chosen(graph, ["all"])  # no recipe is named
