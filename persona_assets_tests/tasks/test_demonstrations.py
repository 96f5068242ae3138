"""The demonstrations that few-shot prompts show: right, of many kinds, and nobody else's."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from persona_assets.maths.compare import Comparer
from persona_assets.maths.solution import final_answer
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import sentences, size, words
from persona_assets.tasks.load import FILES
from persona_assets.tasks.validity import bind, verdict
from persona_assets_tests.tasks.demonstrations import as_given, pool, rows, schema_of
from persona_assets_tests.tasks.people import LANGUAGES, TASKS

LEAST = 8  # of each language and task
PROSE = {  # the texts of an answer that could be alike
    "math_problems": ("problem", "working"),
    "logic_problems": ("problem",),
    "instructions": ("instruction",),
    "knowledge_texts": ("title", "article"),
    "game_npcs": ("role", "description", "interaction"),
    "tool_definitions": ("name", "description"),
}
LONGEST_TEXT = {name: "description" if "description" in fields else fields[-1] for name, fields in PROSE.items()} | {
    "math_problems": "problem"
}
SPREAD = 1.5  # how much longer a pool's longest text is than its shortest; a prompt bounds some at four sentences
POOLS = [(name, language) for name in PROSE for language in LANGUAGES]
OPENING = {"en": 3, "zh": 4, "ru": 3}  # words (Chinese: characters) that no two texts of a pool begin with
GRAM = {"en": 3, "zh": 4, "ru": 3}
MOST_ALIKE = 0.05  # shared 3-grams of two texts; the same skeleton with other numbers and names has 0.3 and more
BORROWED = {"en": 13, "zh": 20, "ru": 13}  # the length of what counts as taken from somewhere
DATA = Path(__file__).parents[3] / "shared" / "data"
REAL = (
    "gsm8k",
    "math500",
    "ifeval",
    "persona_hub",
    "rulm_ru",
    "llamafactory",
    "machine_mindset",
    "character_llm",
    "incharacter",
)
SCRIPT = {"en": re.compile("[A-Za-z]"), "zh": re.compile("[\u3400-\u9fff]"), "ru": re.compile("[\u0400-\u04ff]")}


def masked(text: str, language: str) -> tuple[str, ...]:
    """The words of a text with its numbers and names made equal, so that a skeleton filled twice is seen."""
    if language == "zh":
        return words(re.sub(r"\d+(?:[.,/]\d+)*|[零一二两三四五六七八九十百千万]+", "0", text))
    named = re.sub(r"(?<![.!?:;»\"”\n] )(?<!^)\b[A-ZА-ЯЁ][\w’-]*", "N", re.sub(r"\d+(?:[.,/]\d+)*", "0", text))
    return tuple(re.findall(r"[^\W_]+", named.lower()))


def alikeness(one: str, other: str, language: str) -> float:
    """The share of their masked n-grams that two texts have in common (Jaccard), from 0 to 1."""
    first, second = (
        {gram for gram in grams(masked(text, language), GRAM[language]) if sum(token != "0" for token in gram) > 1}
        for text in (one, other)  # a run of numbers is no structure
    )
    return len(first & second) / max(len(first | second), 1)


def grams(tokens: tuple[str, ...], length: int) -> set[tuple[str, ...]]:
    """All runs of so many tokens."""
    return {tokens[start : start + length] for start in range(len(tokens) - length + 1)}


def strings(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings(one)


def test_each_task_has_demonstrations_and_nothing_else_does() -> None:
    assert {path.stem for path in (FILES / "demonstrations").iterdir()} == set(PROSE)
    assert set(PROSE) == {name for name, task in TASKS.items() if task.modes}


@pytest.mark.parametrize(("name", "language"), POOLS)
def test_a_pool_is_large_enough(name: str, language: str) -> None:
    assert len(pool(name, language)) >= LEAST


@pytest.mark.parametrize("name", PROSE)
def test_each_row_is_an_answer_that_fits_the_task_in_the_order_asked_for(name: str) -> None:
    schema = schema_of(name)
    for row in rows(name):
        assert set(row) == {"language", "answer"}
        assert row["language"] in LANGUAGES
        jsonschema.validate(row["answer"], schema)
        assert list(row["answer"]) == schema["required"]


def test_an_answer_is_what_a_model_is_asked_for() -> None:
    for name in set(PROSE) - {"logic_problems"}:
        for row in as_given(name):
            jsonschema.validate(row["answer"], dict(TASKS[name].asked_schema))


@pytest.mark.parametrize("name", PROSE)
def test_no_demonstration_breaks_a_rule(name: str) -> None:
    checks = bind(TASKS[name])
    found = [verdict(checks, Sample(row["answer"], "", row["language"])) for row in rows(name)]
    assert [one for one in found if one] == []


@pytest.mark.parametrize(("name", "language"), POOLS)
def test_no_two_of_a_pool_are_alike_in_structure(name: str, language: str) -> None:
    for field in PROSE[name]:
        texts = [answer[field] for answer in pool(name, language)]
        worst = max((alikeness(one, other, language), one, other) for one, other in combinations(texts, 2))
        assert worst[0] <= MOST_ALIKE, worst


@pytest.mark.parametrize(("name", "language"), POOLS)
def test_no_two_of_a_pool_open_alike(name: str, language: str) -> None:
    for field in PROSE[name]:
        begun = Counter(masked(answer[field], language)[: OPENING[language]] for answer in pool(name, language))
        assert begun.most_common(1)[0][1] == 1, begun.most_common(1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["math_problems", "logic_problems"])
def test_no_two_problems_of_a_pool_ask_alike(name: str, language: str) -> None:
    asks = [sentences(answer["problem"])[-1] for answer in pool(name, language) if answer.get("kind") != "wordplay"]
    begun = Counter(masked(ask, language)[: OPENING[language]] for ask in asks)
    assert begun.most_common(1)[0][1] == 1, begun.most_common(1)


@pytest.mark.parametrize(("name", "language"), POOLS)
def test_the_lengths_of_a_pool_differ(name: str, language: str) -> None:
    sizes = [size(answer[LONGEST_TEXT[name]]) for answer in pool(name, language)]
    assert max(sizes) >= SPREAD * min(sizes)


def test_a_skeleton_with_other_numbers_and_names_is_seen() -> None:
    one = "Ada sells 12 boxes of pears a day. After a week Ada has 84 empty shelves. How many days are left?"
    other = "Ben sells 350 boxes of nails a day. After a week Ben has 7 empty shelves. How many days are left?"
    assert alikeness(one, other, "en") > 10 * MOST_ALIKE
    assert alikeness("老王每天卖12箱梨，卖了三天。", "小李每天卖9箱钉，卖了七天。", "zh") > 2 * MOST_ALIKE


def test_maths_demonstrations_cover_every_field_and_in_each_language_every_level() -> None:
    params = TASKS["math_problems"].params
    assert {row["answer"]["field"] for row in rows("math_problems")} == set(params["fields"])
    for language in LANGUAGES:
        assert {answer["level"] for answer in pool("math_problems", language)} == set(params["levels"])


def test_the_working_of_each_maths_demonstration_arrives_at_its_answer() -> None:
    with Comparer() as comparer:
        for row in rows("math_problems"):
            answer = row["answer"]
            found = final_answer(answer["working"], row["language"])
            assert comparer.same(answer["answer"], found, row["language"]) is True, (answer["answer"], found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_tools_of_a_pool_take_and_return_the_same(language: str) -> None:
    tools = pool("tool_definitions", language)
    shapes = [
        [sorted(part["type"] for part in tool[side]["properties"].values()) for side in ("parameters", "returns")]
        for tool in tools
    ]
    assert not [one for one, other in combinations(shapes, 2) if one == other]
    assert len({tool["function_name"] for tool in tools}) == len(tools)


def test_what_a_tool_takes_and_returns_is_told_in_its_language() -> None:
    for row in rows("tool_definitions"):
        for side in ("parameters", "returns"):
            for part in row["answer"][side]["properties"].values():
                assert SCRIPT[row["language"]].search(part["description"]), part


@pytest.mark.skipif(not DATA.exists(), reason="the real data are not beside the checkout")
def test_no_demonstration_is_taken_from_real_data() -> None:
    own: dict[str, set[tuple[str, ...]]] = {language: set() for language in LANGUAGES}
    for name in PROSE:
        for row in rows(name):
            for text in strings(row["answer"]):
                own[row["language"]] |= grams(words(text), BORROWED[row["language"]])
    texts = (text for folder in REAL for path in sorted((DATA / folder).rglob("*.json*")) for text in read(path))
    seen = 0
    for text in texts:
        tokens, seen = words(text), seen + 1
        for language, mine in own.items():
            assert not mine & grams(tokens, BORROWED[language])
    assert seen > 1000


def read(path: Path) -> Iterator[str]:
    """Every text of a JSON or JSONL file."""
    told = path.read_text(encoding="utf-8")
    parts = told.splitlines() if path.suffix == ".jsonl" else [told]
    for part in parts:
        if part.strip():
            yield from strings(json.loads(part))
