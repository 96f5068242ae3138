"""The kinds of constraint that `kinds.yaml` declares: what they exclude, wordings, arguments that fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from persona_assets.constraints.constraint import Args, Value
from persona_assets.constraints.words import LANGUAGES
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import digest

_FOLDER = Path(__file__).parent
_FILES = ("kinds.yaml", "words.yaml")
_GREATEST = 100_000  # no count that an answer is held to is greater
_LIST_MARKS = {"en": ("“", "”", ", "), "zh": ("“", "”", "、"), "ru": ("«", "»", ", ")}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its group, the languages it has a meaning in, and what it excludes.

    `args` says by name how each argument is drawn; `wordings` are sentences by language with the arguments in braces.
    """

    id: str
    group: str
    languages: tuple[str, ...]
    args: Mapping[str, Mapping[str, Any]]
    excludes: frozenset[str]
    wordings: Mapping[str, tuple[str, ...]]


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by id, in the order of the file."""
    told = yaml.safe_load((_FOLDER / "kinds.yaml").read_text(encoding="utf-8"))
    return {name: _kind(name, one, frozenset(told)) for name, one in told.items()}


def _kind(name: str, told: Mapping[str, Any], names: frozenset[str]) -> Kind:
    return Kind(
        id=name,
        group=told["group"],
        languages=tuple(told.get("languages", LANGUAGES)),
        args=told.get("args", {}),
        excludes=names - {name} if told["excludes"] == "all" else frozenset(told["excludes"]),
        wordings={language: tuple(texts) for language, texts in told["wordings"].items()},
    )


def kinds_of(language: str) -> tuple[Kind, ...]:
    """The kinds that have a meaning in a language, in the order of the file.

    Raises:
        UsageError: there are none in this language.
    """
    if language not in LANGUAGES:
        raise UsageError(f"constraints: no language {language!r}; {did_you_mean(language, LANGUAGES)}")
    return tuple(kind for kind in kinds().values() if language in kind.languages)


def kind_named(name: str, language: str) -> Kind:
    """The kind of an id.

    Raises:
        UsageError: there is no such kind, or it has no meaning in the language.
    """
    if name not in kinds():
        raise UsageError(f"constraints: no kind {name!r}; {did_you_mean(name, kinds())}")
    kind = kinds()[name]
    if kind not in kinds_of(language):
        raise UsageError(f"constraints: {name} has no meaning in {language}, only in {', '.join(kind.languages)}")
    return kind


@cache
def word_list(name: str, language: str) -> tuple[Any, ...]:
    """A list of `words.yaml` in a language."""
    return tuple(_words()[name][language])


@cache
def _words() -> Mapping[str, Any]:
    return yaml.safe_load((_FOLDER / "words.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def kinds_digest() -> str:
    """Digest of the files that constraints are drawn from: part of the recipe of what is drawn."""
    return digest(b"\0".join((_FOLDER / name).read_bytes() for name in _FILES))


def list_marks(language: str) -> tuple[str, str, str]:
    """The marks that open and close an item of a list in a wording, and what stands between items."""
    return _LIST_MARKS[language]


def language_name(told: str, language: str) -> str:
    """How wordings in a language name another one."""
    return str(_words()["languages"][language][told])


def worded(kind: Kind, args: Args, language: str, wording: int) -> str:
    """A wording of a kind, by number, with its arguments filled in."""
    return kind.wordings[language][wording].format(**{name: _told(one, kind, language) for name, one in args.items()})


def _told(value: Value, kind: Kind, language: str) -> str:
    if isinstance(value, list):
        opening, closing, between = list_marks(language)
        return between.join(f"{opening}{one}{closing}" for one in value)
    return language_name(str(value), language) if kind.id == "other_language" else str(value)


def check_args(kind: Kind, args: Args, language: str) -> None:
    """Whether arguments are ones that the kind can be checked with, be they in the lists it draws from or not.

    Raises:
        UsageError: one is missing, unknown or of another type.
    """
    for name in args:
        if name not in kind.args:
            raise UsageError(f"constraints: {kind.id}: no argument {name!r}; {did_you_mean(name, kind.args)}")
    for name, drawn in kind.args.items():
        if name not in args:
            raise UsageError(f"constraints: {kind.id}: the argument {name!r} is missing")
        if said := _wrong(args[name], _type_of(drawn, name), language):
            raise UsageError(f"constraints: {kind.id}: {name}: {said}, not {args[name]!r}")
    if kind.id == "words_between" and args["low"] > args["high"]:  # type: ignore[operator]
        raise UsageError(f"constraints: {kind.id}: low ({args['low']}) is greater than high ({args['high']})")


def _type_of(drawn: Mapping[str, Any], name: str) -> str:
    if "range" in drawn or "above" in drawn:
        return "number"
    if "some_of" in drawn or name == "options":
        return "list"
    return "language" if "other_language" in drawn else name


def _wrong(value: object, wanted: str, language: str) -> str:
    """What an argument should be, where it is not."""
    if wanted == "number":
        fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _GREATEST
        return "" if fits else f"expected a whole number from 1 to {_GREATEST:,}"
    if wanted == "list":
        fits = isinstance(value, list) and bool(value) and all(isinstance(one, str) and one.strip() for one in value)
        return "" if fits and len(set(value)) == len(value) else "expected a list of different texts"  # type: ignore[arg-type, call-overload]
    if wanted == "language":
        others = [one for one in LANGUAGES if one != language]
        return "" if value in others else f"expected one of {', '.join(others)}"
    if not isinstance(value, str) or not any(one.isalnum() for one in value):
        return "expected a text with a letter"
    return "expected one letter" if wanted == "letter" and len(value) != 1 else ""
