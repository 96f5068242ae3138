"""What the offline engine makes of personas in each world: characters that belong there."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from persona_assets.engines.offline.data import Language
from persona_assets.engines.offline.phrasing import phrasing_of
from persona_assets.rules.sample import Sample
from persona_assets.tasks.load import FILES
from persona_assets_tests.engines.asking import answers
from persona_assets_tests.tasks.people import LANGUAGES, STEPS, TASKS, ask, personas

NAME = "game_npcs"
OWN = "own"
WORLDS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((FILES / "worlds").glob("*.md"))}
WORLDS |= {OWN: "# Kettle Hill\n\nA village on a hill. Everybody there mends kettles."}
# Words that only one world has, in each language.
TELLS = {
    "lantern-reach": "tide|island|Reach|salt|sea|lantern|潮|岛|盐|海|灯|镜|прилив|остров|солян|морск|фонар|зерк",
    "tally-nine": "page|Scribe|Ward|Tally|Greenward|Throat|账簿|页|书吏|静区|страниц|Писц|Тих|Глотк|Бурильщик",
    "the-hollow-court": "moss|Hush|badger|acorn|Underlath|beech|fox|苔藓|寂季|獾|橡|榉|мох|Тиш|барсу|жёлуд|бук",
}


@cache
def characters(world: str, language: str) -> tuple[tuple[dict[str, Any], Any], ...]:
    """Each persona's character in a world, and what the task reads out of it."""
    step, asks = STEPS[NAME], []
    for number, text in enumerate(personas(language)):
        one = ask(text, language, str(number))
        asks.append(replace(one, row={**one.row, "worlds": [{"row_id": f"row_{world}", "text": WORLDS[world]}]}))
    found = answers(TASKS[NAME], [step.variables(one) for one in asks])
    return tuple((answer, step.parse(one, answer)) for one, answer in zip(asks, found, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("world", WORLDS)
def test_characters_pass_the_tasks_rules_in_every_world(world: str, language: str) -> None:
    rejects = [(one.reason, one.detail) for _, parsed in characters(world, language) for one in parsed.rejects]
    assert rejects == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("world", WORLDS)
def test_no_phrase_is_left_unfilled(world: str, language: str) -> None:
    texts = [text for answer, _ in characters(world, language) for text in Sample(answer, "", language).texts()]
    assert not [text for text in texts if re.search(r"[{}]|undefined|  ", text)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("world", TELLS)
def test_a_character_has_something_of_its_world(world: str, language: str) -> None:
    for answer, _ in characters(world, language):
        told = f"{answer['description']} {answer['interaction']}"
        assert re.search(TELLS[world], told, re.IGNORECASE), told


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_a_world_of_ones_own_nothing_of_a_bundled_one_stands(language: str) -> None:
    names = "Lantern Reach|Tally|Scribe|Underlath|Candlemere|Wickhaven|盐路|咽喉井|书吏|烛湖|солян|Глотк|Писц|Подлат"
    for answer, _ in characters(OWN, language):
        assert not re.search(names, " ".join(Sample(answer, "", language).texts()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_four_variants_for_each_world_and_two_for_any(language: Language) -> None:
    found = Counter(variant.match.get("world", OWN) for variant in phrasing_of(TASKS[NAME]).variants[language])
    assert found == {"Lantern Reach": 5, "Tally Nine": 4, "Hollow Court": 4, OWN: 2}
