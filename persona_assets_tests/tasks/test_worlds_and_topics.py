"""The worlds that characters live in, and the topics that problems are about."""

import re
from pathlib import Path

import pytest
import yaml

from persona_assets.rules.sample import Sample
from persona_assets.rules.sample_texts import language_matches
from persona_assets.rules.texts import words
from persona_assets.tasks.load import FILES
from persona_assets_tests.tasks.people import LANGUAGES, TASKS

WORLDS = sorted((FILES / "worlds").glob("*.md"))
ID = re.compile(r"[a-z]+(?:-[a-z]+)*")
FEWEST, MOST = 350, 600  # words of a world: rich, and short enough for a prompt
TOPICS = yaml.safe_load(next(FILES.rglob("topics.yaml")).read_text(encoding="utf-8"))


def test_there_are_three_worlds() -> None:
    assert len(WORLDS) == 3


@pytest.mark.parametrize("path", WORLDS, ids=[path.stem for path in WORLDS])
def test_a_world_is_named_and_of_the_length_asked_for(path: Path) -> None:
    told = path.read_text(encoding="utf-8")
    name = told.splitlines()[0]
    assert ID.fullmatch(path.stem)
    assert name.startswith("# ")
    assert words(name[2:].lower()) == tuple(path.stem.split("-"))
    assert FEWEST <= len(told.split()) <= MOST


@pytest.mark.parametrize("path", WORLDS, ids=[path.stem for path in WORLDS])
def test_a_world_tells_of_places_tensions_and_names(path: Path) -> None:
    told = path.read_text(encoding="utf-8")
    heads = [line[3:] for line in told.splitlines() if line.startswith("## ")]
    assert sum(word in head.lower() for head in heads for word in ("places", "tensions", "names")) == 3
    assert len(re.findall(r"^- \*\*", told, re.MULTILINE)) >= 4


def test_worlds_share_no_phrase() -> None:
    runs = [set(zip(*(own[start:] for start in range(6)), strict=False)) for own in map(_words, WORLDS)]
    assert not any(one & other for number, one in enumerate(runs) for other in runs[:number])


def _words(path: Path) -> tuple[str, ...]:
    return words(path.read_text(encoding="utf-8"))


def test_the_first_world_is_the_one_that_the_task_file_tells_of() -> None:
    told = " ".join(_words(FILES / "worlds" / "lantern-reach.md"))
    short = str(TASKS["game_npcs"].params.get("world", ""))
    assert "lantern reach" in told
    assert all(
        word in told for word in ("forty days", "roads of salt", "plankton", "wood brass and wind", "every tide")
    )
    assert not short or all(word in short for word in ("forty days", "plankton", "brass"))


def test_there_are_twelve_topics_each_in_three_languages() -> None:
    assert len({topic["id"] for topic in TOPICS}) == len(TOPICS) == 12
    for topic in TOPICS:
        assert list(topic) == ["id", *LANGUAGES]
        assert ID.fullmatch(topic["id"])
        for language in LANGUAGES:
            assert language_matches(Sample(topic, "", language), language) is None
