"""Code that shapes rows does not change without a word: its source is held to its version."""

import copy
import json

import pytest

from persona_assets.rules.registry import rules
from persona_assets_tests.versions import (
    LOCK,
    bundled,
    current,
    imported,
    path_of,
    problems,
    rule_digest,
    source_digest,
)

# What carries rows and shapes none of their values, or is in a recipe by itself (the schemas).
CARRIERS = {"plugins", "errors", "progress", "settings", "lake"} | {
    f"lake.{path.stem}" for path in path_of("lake").parent.glob("*.py")
}
HANDED_ON = {"dedup.publish"}  # by dedup.run, which does not use it
OF_ASKING = {
    *("engines.select", "ledger.asked_again", "ledger.ledger", "prompts"),
    *("steps.budget", "steps.in_flight", "steps.latency", "steps.turns"),
}
OF_OTHERS = {"steps.model", "steps.runner"}  # for which they are no more than a context and a report
# Not in rows, or versioned.
OF_TASKS = {"tasks.load", "tasks.set_checks", "contamination.benchmarks", "contamination.overlaps"}
OF_FUNCTIONS = {
    "prompts.template",
    "tasks.data_files",
    "tasks.set_checks",
    "view.blocks",
}  # what they read, gates, figures


def test_source_is_as_its_version_says() -> None:
    locked = json.loads(LOCK.read_text(encoding="utf-8"))
    if found := problems(locked, current()):
        pytest.fail("\n".join(found))


@pytest.mark.parametrize("name", bundled())
def test_the_modules_of_an_asset_are_all_that_shape_its_rows(name: str) -> None:
    asset = bundled()[name]
    used = {other for module in asset.modules for other in imported(module)}
    used -= (
        CARRIERS - {"lake.vectors"}
        | HANDED_ON
        | (OF_ASKING if asset.step else OF_OTHERS)
        | (OF_TASKS if asset.is_task else set())
        | (OF_FUNCTIONS if asset.derived else set())
    )
    assert used <= set(asset.modules), f"add them to `modules` of {name} in graph.py"


def test_a_change_says_what_to_do() -> None:
    locked, now = current(), copy.deepcopy(current())
    now["modules"]["personas.echo"] = now["assets"]["expanded_personas"]["source"] = "other"
    now["rules"]["has_number"]["source"] = "other"
    first, second = problems(locked, now)
    assert first.startswith(
        "the source of personas.echo changed: raise `version` of expanded_personas in persona_assets/graph.py if rows "
        "come out otherwise, then run `python -m persona_assets_tests.versions`"
    )
    assert "raise the version of has_number where it is declared" in second


def test_a_raised_version_asks_for_the_lock() -> None:
    now = copy.deepcopy(current())
    now["assets"]["expanded_personas"] |= {"version": 99, "source": "other"}
    (problem,) = problems(current(), now)
    assert problem.startswith("expanded_personas: version 99 is not in the lock: run `python -m")


@pytest.mark.parametrize(
    "text",
    [
        '"""Says more."""\ndef f(x, y=2):\n    return x + y\n',
        "def f(x: int, y: int = 2) -> int:\n    '''Adds.'''\n    # plainly\n    return (x + y)\n",
    ],
)
def test_comments_docstrings_annotations_and_layout_are_not_source(text: str) -> None:
    assert source_digest(text) == source_digest("def f(x, y=2):\n    return x + y\n")


@pytest.mark.parametrize("text", ["def f(x, y=3):\n    return x + y\n", "def f(x, y=2):\n    return x - y\n"])
def test_what_is_computed_is_source(text: str) -> None:
    assert source_digest(text) != source_digest("def f(x, y=2):\n    return x + y\n")


def test_every_rule_has_a_source_of_its_own() -> None:
    assert len({rule_digest(name) for name in rules("sample")}) == len(rules("sample"))
