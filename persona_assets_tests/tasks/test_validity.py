from pathlib import Path
from typing import Any

import pytest

from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.rules import Sample
from persona_assets.rules.registry import rules
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.validity import bind, verdict

OWN = """
from persona_assets.rules import Sample, rule

@rule()
def no_shouting(sample: Sample, field: str) -> str | None:
    "Nobody shouts."
    return "it shouts" if sample.text(field).isupper() else None
"""


def sample(text: str) -> Sample:
    return Sample({"text": text, "more": "fine"}, "A nurse", "en")


def task(*validity: dict[str, Any]) -> Template:
    return Template.model_validate(
        {
            "name": "tried",
            "version": 1,
            "title": "T",
            "description": "D",
            "messages": [{"role": "user", "content": "{{ persona }}"}],
            "response_schema": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "more": {"type": "string"}},
            },
            "validity": list(validity),
        }
    )


def test_checks_run_in_order_and_the_first_names_the_reason() -> None:
    checks = bind(task({"rule": "has_number", "args": {"field": "text"}}, {"rule": "no_meta_talk"}))
    assert verdict(checks, sample("The persona counts")) == ("has_number", "text holds no number", False)
    assert verdict(checks, sample("The persona counts 12")) == ("no_meta_talk", "found: The persona", False)
    assert verdict(checks, sample("12 charts")) is None


def test_an_unknown_rule_is_an_error_that_suggests_the_nearest_and_lists_all() -> None:
    with pytest.raises(UsageError, match="did you mean no_solution") as caught:
        bind(task({"rule": "no_solutions"}))
    assert all(name in str(caught.value) for name in rules("sample"))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "min_words", "args": {"field": "text"}}, "words"),
        ({"rule": "has_number", "args": {"field": "text", "colour": "red"}}, "colour"),
        ({"rule": "has_number", "args": {"field": "txt"}}, "'txt' is no property of a row; did you mean text"),
    ],
)
def test_wrong_arguments_are_errors(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bind(task(rule))


def test_a_value_that_a_rule_does_not_know_is_an_error() -> None:
    with pytest.raises(UsageError, match="did you mean problem"):
        bind(task({"rule": "no_meta_talk", "args": {"field": "text", "names": "problems"}}))


def test_a_rule_looks_at_each_field_of_a_list() -> None:
    checks = bind(task({"rule": "no_repetition", "args": {"field": ["more", "text"]}}))
    assert verdict(checks, sample("no no no no no"))
    assert verdict(checks, sample("fine")) is None


def own_task(place: Path) -> Settings:
    (place / "own.py").write_text(OWN)
    (place / "calm.yaml").write_text(
        "name: calm\nversion: 1\nkind: task\ntitle: T\ndescription: D\n"
        "messages: [{role: user, content: '{{ persona }}'}]\n"
        "response_schema: {type: object, required: [text], properties: {text: {type: string}}}\n"
        "validity: [{rule: no_shouting, args: {field: text}}]\n"
    )
    return Settings(tasks=str(place))


def test_a_rule_of_the_users_own_is_named_like_any_other(tmp_path: Path) -> None:
    step = datasets(own_task(tmp_path))["calm"]
    assert isinstance(step, TaskStep)
    assert verdict(step.checks, sample("GO AWAY")) == ("no_shouting", "it shouts", False)
    assert verdict(step.checks, sample("go away")) is None


def test_a_change_of_an_own_rule_changes_what_stands_for_it(tmp_path: Path) -> None:
    step = datasets(own_task(tmp_path))["calm"]
    assert isinstance(step, TaskStep)
    before = step.checks[0].rule.recipe
    (tmp_path / "own.py").write_text(OWN.replace("it shouts", "it is loud"))
    again = datasets(Settings(tasks=str(tmp_path)))["calm"]
    assert isinstance(again, TaskStep)
    assert again.checks[0].rule.recipe != before


def test_an_own_rule_cannot_take_a_name_that_is_taken(tmp_path: Path) -> None:
    settings = own_task(tmp_path)
    (tmp_path / "own.py").write_text(OWN + OWN.replace("no_shouting", "min_words"))
    with pytest.raises(UsageError, match=r"own.py:\d+: the rule name min_words is taken"):
        datasets(settings)
