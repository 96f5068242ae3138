"""Constraints for a row: which ones follow from its id and a language alone, and they can all be kept to together."""

from collections.abc import Sequence
from typing import Any, TypeVar

from persona_assets.constraints.constraint import Constraint, Value
from persona_assets.constraints.kinds import Kind, kinds_of, word_list, worded
from persona_assets.constraints.words import LANGUAGES
from persona_assets.ids import canonical_json, digest

MOST = 3  # constraints of one answer, as published sets of such requests have
T = TypeVar("T")


def draw(key: str, language: str) -> tuple[Constraint, ...]:
    """One to three constraints, worded in `language`, that follow from `key` and the language; no two contradict.

    Each further kind is drawn from those that none of the kinds before it excludes, so a kind that excludes all others
    stands alone.

    Raises:
        UsageError: there are no wordings in this language.
    """
    lot = _Lot(key, language)
    count = 1 + lot.below(MOST)
    left, chosen = list(kinds_of(language)), list[Kind]()
    while left and len(chosen) < count:
        kind = lot.one_of(left)
        chosen.append(kind)
        left = [other for other in left if other is not kind and other.id not in kind.excludes]
    return tuple(_drawn(kind, lot, language) for kind in chosen)


class _Lot:
    """Numbers that follow from a key: digests of it and a count."""

    def __init__(self, *key: str) -> None:
        self._key, self._count = key, 0

    def below(self, number: int) -> int:
        """A number from 0 to `number` - 1; 128 bits are so many that the remainder favours none."""
        self._count += 1
        return int(digest(canonical_json(["constraints", *self._key, self._count])), 16) % number

    def one_of(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def some_of(self, values: Sequence[T], count: int) -> list[T]:
        left = list(values)
        return [left.pop(self.below(len(left))) for _ in range(count)]


def _drawn(kind: Kind, lot: _Lot, language: str) -> Constraint:
    args: dict[str, Value] = {}
    for name, told in kind.args.items():
        args[name] = _value(told, args, lot, language)
    return Constraint(kind.id, args, worded(kind, args, language, lot.below(len(kind.wordings[language]))))


def _value(told: Any, before: dict[str, Value], lot: _Lot, language: str) -> Value:  # noqa: ANN401 - as the file has it
    if "range" in told:
        first, last, step = _by_language(told["range"], language)
        return lot.one_of(range(first, last + 1, step))
    if "above" in told:
        low = before[told["above"]]
        assert isinstance(low, int)
        return low + int(lot.one_of(_by_language(told["by"], language)))
    if "some_of" in told:
        fewest, most = told["take"]
        return lot.some_of(word_list(told["some_of"], language), fewest + lot.below(most - fewest + 1))
    if "other_language" in told:
        return lot.one_of([one for one in LANGUAGES if one != language])
    value: Value = lot.one_of(word_list(told["one_of"], language))
    return list(value) if isinstance(value, list) else value


def _by_language(told: Any, language: str) -> Any:  # noqa: ANN401
    return told[language] if isinstance(told, dict) else told
