"""A constraint: its kind, its arguments and its text in a language; and how it is kept as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json

Value = int | str | list[str]
Args = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Constraint:
    """What an answer has to keep to: `kind` of `kinds.yaml` with `args`, and `text`, which tells a model."""

    kind: str
    args: Args
    text: str

    def __hash__(self) -> int:
        return hash((self.kind, canonical_json(dict(self.args)), self.text))


def to_json(constraints: tuple[Constraint, ...]) -> str:
    """Constraints as a JSON list of objects with the keys kind, args and text, always in the same bytes."""
    return canonical_json(
        [{"kind": one.kind, "args": dict(one.args), "text": one.text} for one in constraints]
    ).decode()


def from_json(text: str) -> tuple[Constraint, ...]:
    """The constraints that `to_json` wrote; whether their arguments fit is looked at where they are checked.

    Raises:
        UsageError: the text is something else.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"constraints: not JSON ({error}); expected what `to_json` writes") from error
    if not isinstance(found, list):
        raise UsageError("constraints: expected a JSON list of objects with kind, args and text")
    return tuple(_constraint(number, one) for number, one in enumerate(found, 1))


def _constraint(number: int, told: object) -> Constraint:
    if not isinstance(told, dict) or set(told) != {"kind", "args", "text"}:
        raise UsageError(f"constraints: item {number}: expected an object with kind, args and text")
    if not (isinstance(told["kind"], str) and isinstance(told["args"], dict) and isinstance(told["text"], str)):
        raise UsageError(f"constraints: item {number}: kind and text are texts, args is an object")
    return Constraint(told["kind"], told["args"], told["text"])
