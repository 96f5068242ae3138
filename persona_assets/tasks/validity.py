"""The validity rules that task files name, with their arguments: which samples are kept, and why the others are not."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from persona_assets.errors import Collected, WrongKey, did_you_mean
from persona_assets.prompts import Template
from persona_assets.rules.registry import Rule, rules
from persona_assets.rules.sample import Sample
from persona_assets.tasks.table import row_schema

_FIELDS = ("field", "answer_field")  # arguments that name a property of a row; the first may be a list of them


@dataclass(frozen=True, slots=True)
class Check:
    """A rule with its arguments."""

    rule: Rule
    apply: Callable[[Sample], str | None]
    args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.rule.name


def bind(template: Template, known: Mapping[str, Rule] | None = None) -> tuple[Check, ...]:
    """The checks of a task, in the order of its file; `known` are the rules by name, without which those installed.

    Raises:
        UsageError: a rule or an argument is unknown, an argument is missing, or a field is not a response property.
    """
    known = rules("sample") if known is None else known
    found, checks = Collected(), []
    for number, one in enumerate(template.validity):
        with found.part():
            checks.append(_bind(template, known, number, one.rule, one.args))
    found.check()
    return tuple(checks)


def _bind(template: Template, known: Mapping[str, Rule], number: int, name: str, args: dict[str, Any]) -> Check:
    of, place = f"task {template.name}", ("validity", number)
    rule = known.get(name)
    if rule is None:
        raise WrongKey(of, (*place, "rule"), f"unknown validity rule {name}; {did_you_mean(name, known)}")
    signature = inspect.signature(rule.see)
    try:
        signature.bind(None, **args)
    except TypeError as error:
        raise WrongKey(of, place, f"validity rule {name}: {error}; its form is {name}{signature}") from error
    for key, hint in get_type_hints(rule.see).items():
        if get_origin(hint) is Literal and key in args and args[key] not in get_args(hint):
            said = f"{args[key]!r} is none of its values; {did_you_mean(str(args[key]), get_args(hint))}"
            raise WrongKey(of, (*place, "args", key), said)
    properties = row_schema(template)["properties"]
    for key in _FIELDS:
        for one in _listed(args.get(key, ())):
            if one not in properties:
                said = f"{one!r} is no property of a row; {did_you_mean(str(one), properties)}"
                raise WrongKey(of, (*place, "args", key), said)
    if (shown := args.get("shown")) is not None and shown not in template.with_:
        said = f"no rows are shown as {shown}; {did_you_mean(str(shown), template.with_)}"
        raise WrongKey(of, (*place, "args", "shown"), said)
    if isinstance(args.get("field"), list):
        each = [partial(rule.see, **(args | {"field": one})) for one in args["field"]]
        return Check(rule, partial(_first, each), args)
    return Check(rule, partial(rule.see, **args), args)


def _listed(value: Any) -> Sequence[Any]:  # noqa: ANN401 - any value of a task file
    return value if isinstance(value, list | tuple) else [value]


def _first(each: Sequence[Callable[[Sample], str | None]], sample: Sample) -> str | None:
    return next((said for apply in each if (said := apply(sample)) is not None), None)


class Verdict(NamedTuple):
    """Why a sample is refused: the rule, what it saw, and whether a repair may mend that."""

    reason: str
    detail: str
    may_mend: bool


def verdict(checks: tuple[Check, ...], sample: Sample) -> Verdict | None:
    """The first rule that refuses a sample, or None."""
    for check in checks:
        detail = check.apply(sample)
        if detail is not None:
            return Verdict(check.name, detail, check.rule.repairs)
    return None
