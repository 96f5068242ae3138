"""Rules of scripts: who is there, who thinks, and whether there is a background (Character-LLM, 4.1).

The field that they look at is a list of turns, each with `speaker`, `action` and `text`. The column `names`
of the row that was asked about, or of what it came from, tells all that the character may be called.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from persona_assets.ids import Json
from persona_assets.prompts.scripts import BACKGROUND, SPEAKING, THINKING
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_KNOWN = (BACKGROUND, SPEAKING, THINKING)
_SHOWN = 60


class Line(NamedTuple):
    """A turn of a script, with its number from 1."""

    number: int
    speaker: str
    action: str
    text: str


def lines_of(sample: Sample, field: str) -> Iterator[Line]:
    """The turns of a script, in order; what is no turn is passed over."""
    turns = sample.content.get(field)
    for number, one in enumerate(turns if isinstance(turns, list) else (), 1):
        if isinstance(one, Mapping) and isinstance(one.get("text"), str):
            yield Line(number, str(one.get("speaker", "")), str(one.get("action", "")), one["text"])


def is_called(speaker: str, names: Json) -> bool:
    """Whether a speaker is one that has these names: by the whole name, or by a part of it that stands alone."""
    own = " ".join(speaker.split()).casefold()
    return any(own == str(name).casefold() for name in names or ())


def told_of(sample: Sample, column: str) -> Json:
    """What a column tells of the character: of the row that was asked about, or of the one in `characters` above it."""
    own, above = sample.about.get(column), sample.about.get("characters")
    return own if own or not isinstance(above, Mapping) else above.get(column)


def names_of(sample: Sample) -> list[str]:
    """All that the character may be called."""
    return [str(one) for one in told_of(sample, "names") or []]


@rule()
def has_background(sample: Sample, field: str) -> str | None:
    """The script begins with a background."""
    first = next(lines_of(sample, field), None)
    if first is None or first.action != BACKGROUND:
        return "nothing is told before the first turn: it has no line `Background: ...`"
    return None


@rule()
def least_turns(sample: Sample, field: str, turns: int = 3) -> str | None:
    """The script has at least so many turns; its background is none."""
    count = sum(one.action != BACKGROUND for one in lines_of(sample, field))
    return f"it has {count} turns, at least {turns} are wanted" if count < turns else None


@rule()
def character_present(sample: Sample, field: str) -> str | None:
    """The character speaks."""
    names = names_of(sample)
    speakers = list(dict.fromkeys(one.speaker for one in lines_of(sample, field) if one.action == SPEAKING))
    if any(is_called(one, names) for one in speakers):
        return None
    return f"{(names or ['the character'])[0]} says nothing; {', '.join(speakers)[:_SHOWN] or 'nobody'} speaks"


@rule()
def only_character_thinks(sample: Sample, field: str) -> str | None:
    """Nobody but the character thinks."""
    names = names_of(sample)
    for one in lines_of(sample, field):
        if one.action == THINKING and not is_called(one.speaker, names):
            return f"turn {one.number}: thoughts of {one.speaker[:_SHOWN]}"
    return None


@rule()
def nobody_thinks(sample: Sample, field: str) -> str | None:
    """Nobody thinks: all is spoken."""
    thought = next((one for one in lines_of(sample, field) if one.action == THINKING), None)
    return f"turn {thought.number}: thoughts of {thought.speaker[:_SHOWN]}" if thought else None


@rule()
def known_actions(sample: Sample, field: str) -> str | None:
    """Whoever has a turn speaks or thinks, and does nothing else."""
    for one in lines_of(sample, field):
        if one.action not in _KNOWN:
            return f"turn {one.number}: {one.speaker[:_SHOWN]} ({one.action[:_SHOWN]}) neither speaks nor thinks"
    return None


@rule(repairs=True)
def verdict_cites(sample: Sample, field: str, cited: str, but: str) -> str | None:
    """The verdict names the rows that it rests on, in the list `cited`; the verdict `but` names none."""
    verdict, rows = sample.content.get(field), sample.content.get(cited)
    if verdict == but and rows:
        return f"{field} is {but}, so {cited} is empty"
    if verdict != but and not rows:
        return f"{field} is {verdict}, so {cited} has the number of the row that says so"
    return None
