"""The `offline` block of a template: variants in three languages, numbers to draw, and typed answers.

```yaml
offline:
  reads: persona                  # the section that the question is about; default: persona, else document
  people: false                   # no phrase needs a person, so nobody is looked for, which takes most of the time
  list: {property: personas, item: relation, over: relations, times: personas_per_relation}   # one variant per item
  tables: {ties: {sibling: {...}}}                  # rows that `row('ties', key)` looks up; `default` where none fits
  variants:
    en:
      - when: {relation: [read, like]}              # sections whose value decides whether the variant fits
        match: {problem: "sells (?P<n>[0-9]+) of"}    # and patterns that sections hold; a named group is a value
        let: {a: [10, 50, 5], b: "a * 3"}           # [low, high, step] is drawn, text is a Jinja expression
        answer: {problem: "{{ person.indef | cap }} has {{ a }} ...", answer: "{{ b }}"}
```

An answer mirrors the response schema; strings are Jinja templates and are cast to the type that the schema gives.
What a variant can use: `person`, `described` (with a trait), `topics`, `t1` to `t3`, every plain section of the prompt,
in a later turn `before` (what was answered before it) and `heard` (the last message of a user), what `match` found
(whole numbers as numbers) and what `let` defines. The text that the question is about is not among
them, but `match` may look at it. A variant with `match` that fits goes before those without.
"""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, pass_context
from jinja2.environment import Template as Compiled
from jinja2.environment import TemplateExpression
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from persona_assets.engines.offline.answering import kept_answer, said_topics
from persona_assets.engines.offline.data import Language, Person, indefinite, occupation_index
from persona_assets.errors import UsageError
from persona_assets.ids import Json, digest
from persona_assets.prompts import Template

Values = dict[str, Any]
_MOST_TOPICS = 4  # of a message
_MOST_DIGITS = 16  # of a number that an expression is to compute with


class ListOf(BaseModel):
    """One variant per item of a comma separated section."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    property: str
    item: str
    over: str
    times: str


class Variant(BaseModel):
    """One way to answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    when: dict[str, list[str]] = Field(default_factory=dict)
    match: dict[str, str] = Field(default_factory=dict)
    let: dict[str, list[int] | str] = Field(default_factory=dict)
    answer: dict[str, Any]

    @field_validator("match")
    @classmethod
    def _are_patterns(cls, match: dict[str, str]) -> dict[str, str]:
        for pattern in match.values():
            try:
                _pattern(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no pattern: {error}") from error
        return match

    def found(self, values: Mapping[str, Any], source: Mapping[str, str]) -> Values | None:
        """What the patterns found; None where the prompt's sections are not those that the variant is for.

        `source` is the section that the question is about, which `values` leaves out.
        """
        if not all(str(values.get(name, "")) in wanted for name, wanted in self.when.items()):
            return None
        groups: Values = {}
        for name, pattern in self.match.items():
            there = _pattern(pattern).search(str(source.get(name, values.get(name, ""))))
            if there is None:
                return None
            groups |= {key: _number(text) for key, text in there.groupdict().items() if text is not None}
        return groups


class Phrasing(BaseModel):
    """A template's `offline` block."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reads: str = ""
    people: bool = True
    list: ListOf | None = None
    tables: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    variants: dict[Language, tuple[Variant, ...]] = Field(default_factory=dict)


def phrasing_of(template: Template) -> Phrasing:
    """The checked `offline` block of a template.

    Raises:
        UsageError: a key is unknown or ill typed.
    """
    try:
        return Phrasing.model_validate(template.offline)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"template {template.name}: offline.{place}: {first['msg']}") from error


class Draws:
    """Numbers that follow from a seed and a name, and from nothing else."""

    def __init__(self, seed: str) -> None:
        """`seed` stands for one answer."""
        self._seed = seed

    def below(self, count: int, name: str) -> int:
        """A number from 0 to `count` - 1."""
        return int(digest(f"{self._seed}/{name}".encode()), 16) % count

    def number(self, bounds: list[int], name: str) -> int:
        """A number of the progression low, low + step, ... that is at most high."""
        low, high, step = (*bounds, 1)[:3]
        return low + step * self.below((high - low) // step + 1, name)


def choose(
    phrasing: Phrasing, values: Values, language: Language, draws: Draws, source: Mapping[str, str]
) -> tuple[Variant, Values] | None:
    """One of the variants that fit, and what its patterns found; None where the block has none for the language.

    `source` is the section that the question is about, by its name.
    """
    fitting = [
        (one, found) for one in phrasing.variants.get(language, ()) if (found := one.found(values, source)) is not None
    ]
    fitting = [(one, found) for one, found in fitting if one.match] or fitting
    return fitting[draws.below(len(fitting), "variant")] if fitting else None


def phrase(variant: Variant, values: Values, schema: Mapping[str, Any], phrasing: Phrasing, draws: Draws) -> Json:
    """The answer of a variant.

    Raises:
        UsageError: an expression or a string of the variant cannot be evaluated.
    """
    values = {**values, **_helpers(values, phrasing, draws)}
    try:
        for name, rule in variant.let.items():
            values[name] = draws.number(rule, name) if isinstance(rule, list) else _expression(rule)(values)
        return left_out(_fill(variant.answer, values, schema), schema)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"offline phrasing {variant.answer!r:.80}: {error}") from error


def _helpers(values: Values, phrasing: Phrasing, draws: Draws) -> Values:
    """The functions that expressions can call."""
    language: Language = values["language"]

    def someone(ids: list[str]) -> Person:
        """One of these occupations, another one than the person asked about where there is a choice."""
        others = [key for key in ids if key != values["person"].id] or ids
        return occupation_index()[others[draws.below(len(others), "someone")]].people[language]

    def row(table: str, key: str) -> dict[str, Any]:
        """A row of a table, or its default row."""
        rows = phrasing.tables[table]
        return rows.get(key) or rows["default"]

    def pick(options: list[Any], name: str = "pick") -> Any:  # noqa: ANN401 - whatever the list holds
        """One of a list."""
        return options[draws.below(len(options), name)]

    def kept(message: str) -> str:
        """An answer to a message that keeps to its constraints, mostly; "" where it has none."""
        return kept_answer(str(message), language, draws.below)

    def topics_in(message: str) -> list[str]:
        """What a message is about, at least two topics."""
        return [*said_topics(str(message), language), *values["topics"], values["person"].name][:_MOST_TOPICS]

    return {"someone": someone, "row": row, "pick": pick, "kept": kept, "topics_in": topics_in}


def _fill(value: Json, values: Values, schema: Mapping[str, Any]) -> Json:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return {key: _fill(item, values, properties.get(key, {})) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values, schema.get("items", {})) for item in value]
    return _cast(_template(value).render(values), schema) if isinstance(value, str) else value


def left_out(answer: Json, schema: Mapping[str, Any]) -> Json:
    """An answer with what its schema asks for beside it: null where that is allowed, else an empty text."""
    if not isinstance(answer, dict):
        return answer
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in answer:
            declared = properties.get(name, {}).get("type")
            answer[name] = None if isinstance(declared, list) and "null" in declared else ""
    return answer


def _cast(text: str, schema: Mapping[str, Any]) -> Json:
    declared = schema.get("type")
    wanted = next((kind for kind in declared if kind != "null"), None) if isinstance(declared, list) else declared
    if wanted == "integer":
        return int(text)
    if wanted == "number":
        return float(text)
    return text == "true" if wanted == "boolean" else text


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else text


@cache
def _template(text: str) -> Compiled:
    return _ENVIRONMENT.from_string(text)


@cache
def _expression(text: str) -> TemplateExpression:
    return _ENVIRONMENT.compile_expression(text, undefined_to_none=False)


@pass_context
def _filled(context: Context, text: str) -> str:
    """A phrase of a table, filled with the same values as the phrase around it."""
    return _template(text).render(context.get_all())


def _cap(text: str) -> str:
    """`text` with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined)
_ENVIRONMENT.filters.update(cap=_cap, filled=_filled, indef=lambda text: indefinite(text, "en"))
_ENVIRONMENT.globals.update(gcd=math.gcd, lcm=math.lcm, comb=math.comb, isqrt=math.isqrt)
