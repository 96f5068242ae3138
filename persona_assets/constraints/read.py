"""Text to constraints: finds the sentences in which `kinds.yaml` words them, whatever stands around them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from persona_assets.constraints.constraint import Args, Constraint, Value
from persona_assets.constraints.kinds import Kind, kinds_of, language_name, list_marks
from persona_assets.constraints.words import LANGUAGES

_FIELD = re.compile(r"\{(\w+)\}")
_SPACE = re.compile(r"\s+")
_MOST = 200  # characters of an argument: no list of words.yaml has a longer one


@dataclass(frozen=True, slots=True)
class Message:
    """A message as read: the constraints in their order, and what it says beside them."""

    constraints: tuple[Constraint, ...]
    rest: str


def read(text: str, language: str) -> Message:
    """The constraints that stand in a text, each worded as `kinds.yaml` has it; other words for one are not seen.

    Where two wordings cover the same place, the longer one counts. `rest` has single spaces where sentences went, and
    line breaks as they were between others.

    Raises:
        UsageError: there are no wordings in this language.
    """
    found: list[tuple[int, int, Constraint]] = []
    for kind, pattern in _patterns(language):
        for match in pattern.finditer(text):
            args = _args(kind, match.groupdict(), language)
            if args is not None:
                found.append((match.start(), match.end(), Constraint(kind.id, args, match[0])))
    constraints, parts, at = list[Constraint](), list[str](), 0
    for start, end, one in sorted(found, key=lambda place: (place[0], -place[1])):
        if start >= at:
            constraints.append(one)
            parts.append(text[at:start])
            at = end
    parts.append(text[at:])
    kept = [part.strip() for part in parts]
    return Message(tuple(constraints), ("" if language == "zh" else " ").join(part for part in kept if part))


@cache
def _patterns(language: str) -> tuple[tuple[Kind, re.Pattern[str]], ...]:
    """A pattern for each wording of a language."""
    return tuple(
        (kind, _pattern(wording, kind, language)) for kind in kinds_of(language) for wording in kind.wordings[language]
    )


def _pattern(wording: str, kind: Kind, language: str) -> re.Pattern[str]:
    """A wording with what its arguments may be. Each repeat is bounded, and stops at the mark that follows it."""
    parts = _FIELD.split(wording)
    body = "".join(
        _argument(kind, part, language) if number % 2 else _SPACE.sub(r"\\s+", re.escape(part).replace(r"\ ", " "))
        for number, part in enumerate(parts)
    )
    before = "" if language == "zh" else r"(?<![^\W_])"  # a sentence begins where no word goes on
    return re.compile(before + body)


def _argument(kind: Kind, name: str, language: str) -> str:
    told = kind.args[name]
    if "range" in told or "above" in told:
        return rf"(?P<{name}>\d{{1,6}})"
    if "other_language" in told:
        return f"(?P<{name}>{'|'.join(re.escape(language_name(one, language)) for one in LANGUAGES)})"
    opening, closing, between = list_marks(language)
    space = _SPACE.sub(r"\\s+", between)
    one = rf"[^{opening}{closing}\n]{{1,{_MOST}}}"
    if "some_of" in told or name == "options":
        item = rf"{opening}{one}{closing}"
        return rf"(?P<{name}>{item}(?:{space}{item}){{0,9}})"
    return rf"(?P<{name}>{one})"


def _args(kind: Kind, found: Mapping[str, str], language: str) -> Args | None:
    """The arguments as `draw` gives them, in the order of the file; None where numbers do not fit one another."""
    args: dict[str, Value] = {}
    opening, closing, _ = list_marks(language)
    for name, told in kind.args.items():
        text = found[name]
        if "range" in told or "above" in told:
            args[name] = int(text)
        elif "other_language" in told:
            args[name] = next(one for one in LANGUAGES if language_name(one, language) == text)
        elif "some_of" in told or name == "options":
            args[name] = re.findall(rf"{opening}([^{opening}{closing}]*){closing}", text)
        else:
            args[name] = text
    numbers = [value for value in args.values() if isinstance(value, int)]
    return args if numbers == sorted(numbers) and all(numbers) else None
