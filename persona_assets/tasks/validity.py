"""The validity rules that task files name: which samples are kept, and why the others are not.

A rule looks at one sample and returns None, or a detail: what it saw. The rule's name is the reject's reason.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from persona_assets.errors import WrongKey, did_you_mean
from persona_assets.prompts import Template
from persona_assets.tasks import rules_content, rules_text
from persona_assets.tasks.sample import Sample
from persona_assets.tasks.table import row_schema

Rule = Callable[..., str | None]
Bound = Callable[[Sample], str | None]

RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        rules_text.min_words,
        rules_text.max_words,
        rules_text.no_meta_talk,
        rules_text.no_ai_self_reference,
        rules_text.no_placeholder,
        rules_text.no_persona_echo,
        rules_text.language_matches,
        rules_content.is_question_or_task,
        rules_content.has_number,
        rules_content.no_solution,
        rules_content.valid_tool,
    )
}

# Rules that judge otherwise than when they were written, and in which version; a test holds their source to it.
_LATER_VERSIONS: Mapping[str, int] = {}


def rule_version(name: str) -> int:
    """The version of a rule: raised when it judges a sample otherwise, from 1."""
    return _LATER_VERSIONS.get(name, 1)


@dataclass(frozen=True, slots=True)
class Check:
    """A rule with its arguments."""

    name: str
    apply: Bound


def bind(template: Template) -> tuple[Check, ...]:
    """The checks of a task, in the order of its file.

    Raises:
        UsageError: a rule or an argument is unknown, an argument is missing, or a field is not a response property.
    """
    return tuple(_bind(template, number, entry.rule, entry.args) for number, entry in enumerate(template.validity))


def _bind(template: Template, number: int, name: str, args: dict[str, object]) -> Check:
    of, place = f"task {template.name}", ("validity", number)
    rule = RULES.get(name)
    if rule is None:
        raise WrongKey(of, (*place, "rule"), f"unknown validity rule {name}; {did_you_mean(name, RULES)}")
    signature = inspect.signature(rule)
    try:
        signature.bind(None, **args)
    except TypeError as error:
        raise WrongKey(of, place, f"validity rule {name}: {error}; its form is {name}{signature}") from error
    properties = row_schema(template)["properties"]
    for key in ("field", "answer_field"):
        if key in args and args[key] not in properties:
            said = f"{args[key]!r} is no property of a row; {did_you_mean(str(args[key]), properties)}"
            raise WrongKey(of, (*place, "args", key), said)
    return Check(name, partial(rule, **args))


def verdict(checks: tuple[Check, ...], sample: Sample) -> tuple[str, str] | None:
    """The first rule that refuses a sample and what it saw, or None."""
    for check in checks:
        detail = check.apply(sample)
        if detail is not None:
            return check.name, detail
    return None
