"""Rules of scripts, on scripts in three languages."""

from typing import Any

import pytest

from persona_assets.prompts.scripts import script
from persona_assets.rules.registry import rules
from persona_assets.rules.sample import Sample

GOOD = {
    "en": "Background: Rain.\nAda (thinking): Late.\nTom (speaking): Hello.\nAda Quill (speaking): Good evening, Tom.",
    "zh": "背景：下雨。\n林秋月（心想）：又迟到了。\n老王（说）：你好。\n秋月（说）：晚上好。",
    "ru": "Обстановка: Дождь.\nИван (думает): Опять.\nМария (говорит): Привет.\nКузнецов (говорит): Добрый вечер.",
}
NAMES = {
    "en": ["Ada Quill", "Ada", "Quill"],
    "zh": ["林秋月", "秋月"],
    "ru": ["Иван Кузнецов", "Иван", "Кузнецов"],
}
RULES = ("has_background", "least_turns", "known_actions", "character_present", "only_character_thinks")


def verdicts(text: str, language: str = "en", **about: Any) -> dict[str, str]:
    """By rule what it says against a script."""
    told = about or {"names": NAMES[language]}
    sample = Sample({"turns": script(text)}, "", language, told)
    found = {name: rules("sample")[name](sample, field="turns") for name in RULES}
    return {name: said for name, said in found.items() if said}


@pytest.mark.parametrize("language", GOOD)
def test_a_whole_script_passes(language: str) -> None:
    assert verdicts(GOOD[language], language) == {}


@pytest.mark.parametrize("language", GOOD)
def test_names_may_stand_in_what_the_row_came_from(language: str) -> None:
    assert verdicts(GOOD[language], language, characters={"names": NAMES[language]}) == {}


@pytest.mark.parametrize("language", GOOD)
def test_without_its_first_line_a_script_has_no_background(language: str) -> None:
    assert [*verdicts(GOOD[language].partition("\n")[2], language)] == ["has_background"]


def test_a_script_of_two_turns_is_too_short() -> None:
    text = "Background: Rain.\nTom (speaking): Hello.\nAda (speaking): Good evening."
    assert verdicts(text) == {"least_turns": "it has 2 turns, at least 3 are wanted"}


@pytest.mark.parametrize("language", GOOD)
def test_the_character_has_to_speak_and_not_only_think(language: str) -> None:
    own = NAMES[language]
    text = "\n".join(line for line in GOOD[language].split("\n")[:-1])
    assert "character_present" in verdicts(text, language)
    assert own[0] in verdicts(text, language)["character_present"]


def test_somebody_whose_name_merely_holds_the_characters_is_another() -> None:
    text = "Background: Rain.\nTom (speaking): Hello.\nAdam Quillfeather (speaking): Hm.\nTom (speaking): Bye."
    assert "character_present" in verdicts(text)


def test_nobody_but_the_character_thinks() -> None:
    text = GOOD["en"] + "\nTom (thinking): She looks tired."
    assert verdicts(text) == {"only_character_thinks": "turn 5: thoughts of Tom"}


def test_an_action_that_is_neither_speaking_nor_thinking_is_refused() -> None:
    text = GOOD["en"] + "\nTom (laughing): Ha."
    assert verdicts(text) == {"known_actions": "turn 5: Tom (laughing) neither speaks nor thinks"}


@pytest.mark.parametrize(
    ("verdict", "rests_on", "fits"),
    [
        ("entailed", [1], True),
        ("contradicted", [2], True),
        ("neutral", [], True),
        ("neutral", [1], False),
        ("entailed", [], False),
        ("contradicted", None, False),
    ],
)
def test_a_verdict_names_what_it_rests_on(verdict: str, rests_on: list[int] | None, fits: bool) -> None:
    sample = Sample({"verdict": verdict, "rests_on": rests_on}, "", "en")
    found = rules("sample")["verdict_cites"](sample, field="verdict", cited="rests_on", but="neutral")
    assert (found is None) is fits


def test_nobody_thinks_where_all_is_spoken() -> None:
    see = rules("sample")["nobody_thinks"]
    spoken = Sample({"turns": script("Background: Rain.\nAda (speaking): Late.")}, "", "en")
    thought = Sample({"turns": script("Ada (speaking): Late.\nAda (thinking): Again.")}, "", "en")
    assert see(spoken, field="turns") is None
    assert see(thought, field="turns") == "turn 2: thoughts of Ada"
