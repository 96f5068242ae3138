"""Characters of a cast talk, each as who they are, and each hears the others alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from persona_assets.characters.meetings import SIDES
from persona_assets.graph import assets
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets.text.language import told_language
from persona_assets_tests.engines.server import Body, serve
from persona_assets_tests.export.stored import store
from persona_assets_tests.plan.work import Work
from persona_assets_tests.tasks.test_questionnaires import made

PEOPLE = [
    {"sample_id": f"smp_{n}", "character_id": f"chr_{n}", "name": name, "names": [name], "language": language}
    | {"profile": f"# {name}\n\n{about}\n"}
    for n, (name, language, about) in enumerate(
        (("Ilse", "en", "Ilse binds books."), ("Otto", "en", "Otto prints them."), ("沈砚秋", "zh", "沈砚秋制墨。"))
    )
]

OTHERS = [
    {**PEOPLE[0], "sample_id": f"smp_{n}", "character_id": f"chr_{n}", "name": name, "names": [name]}
    for n, name in ((8, "Anna"), (9, "Paul"))
]


def place(folder: Path, people: Sequence[Mapping[str, Any]] = PEOPLE, **values: Any) -> Work:
    """A lake in which these characters of the cast `printers` have talked."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "printers.md").write_text("# Printers\n\nThey print.\n", encoding="utf-8")
    where = {"lake": str(folder / "lake"), "dumps": str(folder / "dumps"), "profiles": str(folder / "profiles")}
    work = Work(folder, Settings(**where, **values))
    store(work.lake, assets(work.settings)["characters"].table, people, "printers")
    made(work, "character_meetings", "character_talks", "character_talks_of_three")
    return work


def test_who_is_alone_with_a_language_is_set_aside(tmp_path: Path) -> None:
    work = place(tmp_path)
    table = datasets(work.settings)["character_meetings"].table
    [pair] = work.lake.read(table, "printers").to_dicts()
    assert {pair["first_name"], pair["second_name"]} == {"Ilse", "Otto"}
    assert work.lake.rejects(table, "printers").collect()["reason"].to_list() == ["alone"]


@pytest.mark.parametrize("tells", ["about", "nothing"])
def test_each_speaks_in_turn_under_a_prompt_of_its_own(tmp_path: Path, tells: str) -> None:
    def said(body: Body) -> str:
        return f"I am {'Ilse' if 'You are Ilse.' in body['messages'][0]['content'] else 'Otto'}."

    with serve(said) as server:
        model = {"engine": "openai", "base_url": server.url, "model": "m"}
        work = place(tmp_path, params={"character_talks.tells": tells}, **model)
    [row] = work.lake.read(datasets(work.settings)["character_talks"].table, "printers").to_dicts()
    heard = [one["text"] for one in row["talk"]]
    assert len(heard) == 8
    assert set(heard[::2]) | set(heard[1::2]) == {"I am Ilse.", "I am Otto."}
    assert len(set(heard[::2])) == len(set(heard[1::2])) == 1
    shown = [(body["messages"][0]["content"], body["messages"][1]["content"]) for body in server.bodies]
    assert len({system for system, _ in shown}) == 2
    for system, first in shown:
        own, other = (
            ("Ilse binds", "Otto prints") if system.startswith("You are Ilse.") else ("Otto prints", "Ilse binds")
        )
        assert (own in first) == (tells == "about")
        assert other not in first


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_the_offline_engine_talks_in_each_language(tmp_path: Path, language: str) -> None:
    work = place(tmp_path, [{**one, "language": language} for one in [*PEOPLE, *OTHERS]])
    for name, speakers in (("character_talks", 2), ("character_talks_of_three", 3)):
        found = work.lake.read(datasets(work.settings)[name].table, "printers")
        [talk] = found["talk"].to_list()
        assert len({one["speaker"] for one in talk}) == speakers
        assert set(told_language([one["text"] for one in talk])) == {language}


def test_of_three_each_hears_who_said_what(tmp_path: Path) -> None:
    with serve(lambda body: f"I am {body['messages'][0]['content'].split('.')[0].removeprefix('You are ')}.") as server:
        model = {"engine": "openai", "base_url": server.url, "model": "m"}
        work = place(tmp_path, [{**one, "language": "en"} for one in PEOPLE], **model)
    [row] = work.lake.read(datasets(work.settings)["character_talks_of_three"].table, "printers").to_dicts()
    [met] = work.lake.read(datasets(work.settings)["character_meetings"].table, "printers").to_dicts()
    assert [one["text"] for one in row["talk"][:3]] == [f"I am {met[f'{side}_name']}." for side in SIDES]
    third = next(body for body in server.bodies if f"You are {met['third_name']}." in body["messages"][0]["content"])
    heard = "\n".join(message["content"] for message in third["messages"])
    assert f"first: I am {met['first_name']}." in heard
    assert f"second: I am {met['second_name']}." in heard
