"""The patterns of rules, by language: `data/<language>.yaml` names them, and `data/any.yaml` those of no language.

All languages are tried on every text, since a model may answer in another than it was asked for. What samples and
personas are both judged by stands there once; `%{name}` within a pattern stands for another of its file, or of `any`.

Rules of samples look with Python's engine, for which repeats are bounded. Rules of personas look with that of Polars,
which knows no look-around, takes time in proportion to a text whatever is repeated, and unfolds bounds: a hundred times
any letter is a program of megabytes.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

_FOLDER = Path(__file__).with_name("data")
_ANY = "any"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml") if path.stem != _ANY))
_REFERENCE = re.compile(r"%\{(\w+)\}")


@cache
def _told(language: str) -> Mapping[str, tuple[str, ...]]:
    """The alternatives of each pattern of a language, references filled in."""
    told = yaml.safe_load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    known = told if language == _ANY else yaml.safe_load((_FOLDER / f"{_ANY}.yaml").read_text(encoding="utf-8")) | told

    def filled(name: str) -> tuple[str, ...]:
        return tuple(_REFERENCE.sub(lambda found: _any_of(filled(found[1])), one) for one in known[name])

    return {name: filled(name) for name in told}


def _any_of(alternatives: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(f'(?:{one})' for one in alternatives)})"


@cache
def of_language(language: str) -> Mapping[str, str]:
    """The patterns of a language (ISO 639-1) by name, each one expression."""
    return {name: _any_of(alternatives) for name, alternatives in _told(language).items()}


@cache
def expressions(name: str) -> tuple[str, ...]:
    """What finds a pattern in any language, without regard to case, as expressions for Polars.

    Its engine is slow where a word boundary meets a letter beyond ASCII, unless an expression has letters of its own
    that can be looked for first. So alternatives with a boundary stand by themselves, and all others as one.

    Raises:
        KeyError: no language has the name.
    """
    found = [one for language in (_ANY, *LANGUAGES) for one in _told(language).get(name, ())]
    if not found:
        raise KeyError(name)
    joined = tuple(one for one in found if r"\b" not in one)
    bounded = [one for one in found if r"\b" in one]
    return tuple(f"(?i){one}" for one in ([_any_of(joined)] if joined else []) + bounded)


@cache
def pattern(*names: str, start: bool = False) -> re.Pattern[str]:
    """What finds a pattern of any language; several names follow on one another. `start`: at the start of a text only.

    Raises:
        KeyError: a language lacks one of the names.
    """
    found = "|".join("".join(of_language(language)[name] for name in names) for language in LANGUAGES)
    return re.compile(rf"\A\W*(?:{found})" if start else found, re.IGNORECASE)
