"""Protective experiences and preference pairs in a small lake that the real steps made."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.checks.gates import run_gates
from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.export.folder import export
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.split import HELD_OUT, TRAIN
from persona_assets_tests.characters.profiles import CHINESE, ENGLISH, RUSSIAN
from persona_assets_tests.plan.work import Work
from persona_assets_tests.rows import draft
from persona_assets_tests.tasks.test_characters import settings, write

CASTS = {"ada.md": ENGLISH, "lin.md": CHINESE, "ivan.txt": RUSSIAN, "hub.yaml": "title: Two\nsize: 2\nscenes: 1\n"}
KINDS: list[dict[str, Any]] = yaml.safe_load((FILES / "provocations/kinds.yaml").read_text(encoding="utf-8"))["kinds"]
DATED = {one["id"] for one in KINDS if one["dated"]}
OPENING = "What do you think of the telephone?"
SCENE = {"provoker": "a clerk", "thing": "the telephone", "opening": OPENING, "persists": False}
SCRIPT = "Background: A room.\nA clerk (speaking): " + OPENING + "\nAda Quill (speaking): {said}"
HONEST = "I do not know that word."
FAULTY = {
    "no_leak": SCRIPT.format(said=HONEST + " My automobile knows the way, though."),
    "honest_ignorance": SCRIPT.format(said="Why do you ask? The telephone carries voices."),
    "nobody_thinks": SCRIPT.format(said=HONEST) + "\nAda Quill (thinking): What a fool.",
    "character_present": SCRIPT.format(said=HONEST).replace("Ada Quill", "Tom"),
    "has_background": SCRIPT.format(said=HONEST).partition("\n")[2],
    "least_turns": "Background: A room.\nAda Quill (speaking): " + HONEST,
    "every_turn": SCRIPT.format(said=HONEST + " As an AI language model I cannot know."),
}
LONG = (
    "It was shown in public for the first time in Philadelphia, at a fair with people from all over the world; "
    "within a few years every large town had an exchange, with wires over the roofs and young women at switchboards."
)


class Told(OfflineEngine):
    """The offline engine, but that Ada is asked about telephones, and her scripts are faulty in turn."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest, at = [], 0
        for request in requests:
            name, asked = request.template.name, request.messages[1]["content"]
            said = ""
            if name == "protective_scenes" and "<name>Ada Quill</name>" in asked and "<kind>later_era" in asked:
                openings = [OPENING.replace("?", " " * more + "?") for more in range(len(FAULTY) + 2)]
                said = json.dumps({"scenes": [SCENE | {"opening": one} for one in openings]})
            if name == "protective_experiences" and "<thing>the telephone</thing>" in asked:
                told = [*FAULTY.values(), SCRIPT.format(said=HONEST)]
                said, at = told[min(at, len(FAULTY))], at + 1
            if name == "out_of_character_answers" and "<thing>the telephone</thing>" in asked:
                said = LONG
            if said:
                yield [Completion(request.call_id, said, "stop", 100, 20, 0.01)]
            else:
                rest.append(request)
        yield from super().stream(rest)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("protective")
    write(folder, **CASTS)
    work = Work(folder, settings(folder, datasets=("character_preferences",)))
    work.drop("d", "a.jsonl", 0, 1, 2)
    work.run(engine=Told(work.settings))
    return work


def rows(work: Work, asset: str, key: str = "ada") -> pl.DataFrame:
    return work.lake.read(assets(work.settings)[asset].table, key)


def aside(work: Work, asset: str, key: str = "ada") -> dict[str, str]:
    """By reason a detail of what was set aside."""
    found = work.lake.rejects(assets(work.settings)[asset].table, key).collect()
    return dict(found.select("reason", "detail").iter_rows())


# Scenes


@pytest.mark.parametrize("key", ["lin", "ivan"])
def test_a_character_of_a_known_time_is_provoked_in_every_way(work: Work, key: str) -> None:
    kinds = Counter(rows(work, "protective_scenes", key)["kind"])
    assert set(kinds) == {one["id"] for one in KINDS}
    assert max(kinds.values()) <= 6


def test_who_lives_today_is_asked_about_no_later_era(work: Work) -> None:
    assert set(rows(work, "protective_scenes", "hub")["kind"]) == {one["id"] for one in KINDS} - DATED


def test_each_kind_is_told_in_every_language() -> None:
    assert all(set(one["means"]) == {"en", "zh", "ru"} for one in KINDS)


@pytest.mark.parametrize("key", ["lin", "ivan", "hub"])
def test_scenes_of_a_character_differ_and_some_persist(work: Work, key: str) -> None:
    found = rows(work, "protective_scenes", key).with_columns(of=pl.col("parent_ids").list.first())
    assert not found.select("of", "provoker", "opening", "persists").is_duplicated().any()
    assert set(found["persists"]) == {True, False}


@pytest.mark.parametrize(("count", "failing"), [(6, 0), (30, 1)])
def test_a_hundred_scenes_of_a_character_are_too_many(tmp_path: Path, count: int, failing: int) -> None:
    write(tmp_path, **{"lin.md": CHINESE})
    params = {"protective_scenes.count": count}
    place = Work(tmp_path, settings(tmp_path, params=params, datasets=("protective_scenes",)))
    place.run(engine=OfflineEngine(place.settings))
    table = assets(place.settings)["protective_scenes"].table
    around = LakeState(place.lake, place.settings).around(table.name)
    gates = run_gates(place.lake, draft(place.lake, table, "lin"), place.settings, around)
    assert next(gate.failing for gate in gates if gate.name == "at_most") == failing


# Experiences


def test_scripts_are_set_aside_by_reason(work: Work) -> None:
    assert set(aside(work, "protective_experiences")) == set(FAULTY)
    assert "1886: automobile" in aside(work, "protective_experiences")["no_leak"]


@pytest.mark.parametrize("key", ["ada", "lin", "ivan", "hub"])
def test_all_is_spoken_and_the_character_has_the_last_word(work: Work, key: str) -> None:
    called = {one for names in rows(work, "characters", key)["names"] for one in names}
    found = rows(work, "protective_experiences", key)["turns"]
    assert len(found)
    for turns in found:
        assert [one["action"] for one in turns] == ["background", *["speaking"] * (len(turns) - 1)]
        assert turns[-1]["speaker"] in called


def test_who_persists_is_answered_more_than_once(work: Work) -> None:
    scenes = rows(work, "protective_scenes", "lin").select("persists", scene="sample_id")
    found = rows(work, "protective_experiences", "lin").with_columns(scene=pl.col("parent_ids").list.first())
    by = found.join(scenes, on="scene").select("persists", turns=pl.col("turns").list.len())
    least = dict(by.group_by("persists").agg(pl.col("turns").min()).iter_rows())
    assert least[True] > least[False]


def test_the_provoker_speaks_first_and_as_the_scene_says(work: Work) -> None:
    openings = dict(rows(work, "protective_scenes", "ivan").select("sample_id", "opening").iter_rows())
    for row in rows(work, "protective_experiences", "ivan").iter_rows(named=True):
        assert row["turns"][1]["text"] == openings[row["parent_ids"][0]]


# Preference pairs


@pytest.mark.parametrize("key", ["lin", "ivan", "hub"])
def test_a_pair_prefers_the_character_to_the_assistant(work: Work, key: str) -> None:
    pairs, answers = rows(work, "character_preferences", key), rows(work, "out_of_character_answers", key)
    told = dict(answers.select("sample_id", "answer").iter_rows())
    turns = dict(rows(work, "protective_experiences", key).select("sample_id", "turns").iter_rows())
    assert pairs.height == len(turns)
    for row in pairs.iter_rows(named=True):
        assert row["rejected"] == told[row["answer_id"]]
        assert row["chosen"] == turns[row["parent_ids"][0]][2]["text"]
        assert row["prompt"].endswith(turns[row["parent_ids"][0]][1]["text"])
        assert row["name"] in row["prompt"]


def test_answers_of_other_lengths_are_set_aside(work: Work) -> None:
    assert "times as long" in aside(work, "character_preferences")["lengths_differ"]


def frames(work: Work, **instead: pl.DataFrame) -> list[pl.LazyFrame]:
    names = ("protective_experiences", "out_of_character_answers", "protective_scenes", "characters")
    return [instead.get(name, rows(work, name, "lin")).lazy() for name in names]


def function(name: str = "character_preferences") -> Any:
    step = datasets(Settings())[name]
    assert isinstance(step, DerivedStep)
    return step.declared.function


def test_an_experience_without_another_answer_is_set_aside(work: Work) -> None:
    none = rows(work, "out_of_character_answers", "lin").head(1)
    made = function()(*frames(work, out_of_character_answers=none), held_out_share=0.3)
    assert Counter(made["reason"].drop_nulls()) == {"no_other_answer": made.height - 1}


def test_the_order_of_rows_does_not_matter(work: Work) -> None:
    turned = {
        name: rows(work, name, "lin").reverse() for name in ("protective_experiences", "out_of_character_answers")
    }
    one, other = (function()(*frames(work, **some), held_out_share=0.3) for some in ({}, turned))
    assert one.equals(other)


def test_no_experience_gives_no_pair(work: Work) -> None:
    none = rows(work, "protective_experiences", "lin").clear()
    assert function()(*frames(work, protective_experiences=none), held_out_share=0.3).is_empty()


def test_the_side_of_the_split_follows_from_the_scene(work: Work) -> None:
    found = {
        share: dict(function()(*frames(work), held_out_share=share).select("answer_id", "split").iter_rows())
        for share in (0.0, 0.3, 1.0)
    }
    assert set(found[0.0].values()) == {TRAIN}
    assert set(found[1.0].values()) == {HELD_OUT}
    assert set(found[0.3].values()) == {TRAIN, HELD_OUT}


def test_pairs_are_exported_for_preference_training(work: Work, tmp_path: Path) -> None:
    job = Export("character_preferences", tmp_path / "out", form="dpo")
    export(work.lake, assets(work.settings), job)
    found = pl.read_parquet(str(tmp_path / "out" / "**" / "*.parquet"))
    assert {"prompt", "chosen", "rejected"} <= set(found.columns)
    assert found.height == sum(rows(work, "character_preferences", key).height for key in ("ada", "lin", "ivan", "hub"))


@pytest.mark.parametrize("key", ["ada", "hub"])
def test_a_pair_is_traced_to_its_profile_and_to_the_file_or_the_page(work: Work, key: str) -> None:
    found = audit(work.lake, work.settings, rows(work, "character_preferences", key)["sample_id"][0])
    assert not [one for one in found.verifications if one.status is Status.FAILED]
    tables = {one.table for one in found.nodes()}
    assert {"protective_experiences", "out_of_character_answers", "protective_scenes", "characters", "casts"} <= tables
    assert ("document" in {one.kind for one in found.nodes()}) == (key == "hub")
