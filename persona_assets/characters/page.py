"""What interviews with characters came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from persona_assets.characters.logs import FLAGS
from persona_assets.characters.results import counts, named
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent

Row = Mapping[str, Any]
OFFLINE = "The offline engine answered: it plays nobody, and its answers say nothing of a model."
NOT_JUDGED = "No judge has rated these answers, so there are no scores. PERSONA_JUDGED=interview_answers=1 asks one."
NOT_CALIBRATED = (
    "No judge that rated these answers is calibrated, so no scores are shown: they would be no evidence either way."
)
LIMITS = [
    "A judge that rates known texts in the right order may still be wrong on these. How often it errs on known texts "
    "stands beside its criterion.",
    "Flags, lengths and leaks look at who speaks, how much and in which words, and not at whether an answer is true.",
    "Logged interviews were asked and answered by others, whose prompts and models are not those of this lake.",
    "Intervals are over questions, at 99 %: other questions, characters or languages may give other means.",
]
_TONES: tuple[tuple[Literal["blue", "amber", "green", "red"], str], ...] = (
    *(("blue", "█"), ("amber", "▓"), ("green", "▒"), ("red", "░")),
)
_MOST_RINGS = 6  # systems in a radar


@dataclass(frozen=True)
class Outcome:
    """What interviews came to; rows have the columns that `results` names.

    `standings` are rows of `judge_standing` for the criteria by which answers were rated, `others` counts logged
    interviews of nobody in this cast, and `scale` has the ends of the scores.
    """

    name: str
    counts: Sequence[Row]
    flagged: Sequence[Row]
    leaks: Sequence[tuple[str, int]]
    models: Sequence[str]
    standings: Sequence[Row] = ()
    means: Sequence[Row] = ()
    differences: Sequence[Row] = ()
    compared: tuple[str, str] | None = None
    others: int = 0
    scale: tuple[int, int] = (1, 7)

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values; scores are those of calibrated judges alone."""
        return {
            "cast": self.name,
            "models": [*self.models],
            "counts": [*self.counts],
            "flags": [*self.flagged],
            "leaks": [{"term": term, "answers": count} for term, count in self.leaks],
            "of_others": self.others,
            "judges": [{**row, "error": _error(row)} for row in self.standings],
            "scores": [*self.means],
            "compared": self.compared,
            "differences": [*self.differences],
            "limits": LIMITS,
        }


def interviews_page(outcome: Outcome) -> view.Page:
    """The page of a cast's interviews."""
    title = ("Interviews: ", view.Code(outcome.name))
    return view.Page(title, "What systems answer as characters.", blocks(outcome))


def blocks(outcome: Outcome) -> list[view.Block]:
    """What there is to see."""
    if not outcome.counts:
        return [view.Lines(["Nobody has answered yet."])]
    kinds = _kinds(outcome.counts)
    said: list[view.Line] = [("Answered by ", view.Code(", ".join(outcome.models)))]
    said += [OFFLINE] if any(one.startswith("offline") for one in outcome.models) else []
    said += [f"{outcome.others:,} logged interviews are of nobody in this cast."] if outcome.others else []
    found: list[view.Block] = [
        view.Lines(said),
        view.Section("What was answered", [_counts(outcome.counts, kinds)]),
    ]
    if outcome.flagged:
        found.append(view.Section("Turns that are flagged", [_flagged(outcome.flagged, kinds)]))
    if outcome.leaks:
        rows = [(view.Code(term), f"{count:,}", float(count)) for term, count in outcome.leaks]
        found.append(view.Section("What characters cannot know", [view.bars(rows, "answers")]))
    found += _judged(outcome, kinds)
    return [*found, view.Section("What this can't show", [view.Lines(LIMITS)])]


def _judged(outcome: Outcome, kinds: Mapping[str, view.Kind]) -> list[view.Block]:
    """Scores where a judge is calibrated, and what each judge is worth."""
    if not outcome.standings:
        return [view.Section("Scores", [view.Lines([NOT_JUDGED])])]
    worth = view.Section("What the judges are worth", [_standings(outcome.standings)])
    if not outcome.means:
        return [view.Section("Scores", [view.Lines([NOT_CALIBRATED])]), worth]
    found: list[view.Block] = []
    for judge in sorted({row["judge"] for row in outcome.means}):
        own = [row for row in outcome.means if row["judge"] == judge]
        radar = _radar(own, kinds, outcome.scale)
        parts: list[view.Block] = [view.Legend([*kinds.values()][: len(_TONES)])] if len(kinds) > 1 else []
        parts += [radar] if radar else []
        parts.append(_means(own, outcome, kinds))
        found.append(view.Section(("Scores by ", view.Code(judge)), parts))
    if outcome.compared and outcome.differences:
        first, second = (view.Code(name) for name in outcome.compared)
        found.append(view.Section((second, " less ", first), [_differences(outcome.differences, outcome.scale)]))
    return [*found, worth]


def _kinds(rows: Sequence[Row]) -> dict[str, view.Kind]:
    """A colour for each system."""
    systems = sorted({row["system"] for row in rows})
    return {name: view.Kind(name, *_TONES[place % len(_TONES)]) for place, name in enumerate(systems)}


def _system(name: str, kinds: Mapping[str, view.Kind]) -> view.Line:
    return (kinds[name],) if 1 < len(kinds) <= len(_TONES) else (view.Code(name),)


def _counts(rows: Sequence[Row], kinds: Mapping[str, view.Kind]) -> view.Table:
    heads = [
        *view.whole("system", "kind"),
        *view.right("characters", "answers", "median words", "without words", "flagged", "with leaks"),
    ]
    drawn: list[list[view.Cell]] = [
        [
            _system(row["system"], kinds),
            row["kind"],
            *(f"{row[name]:,}" for name in ("characters", "answers")),
            f"{row['length'] or 0:,.0f}",
            f"{row['silent']:,}",
            *(percent(row[name], row["answers"]) for name in ("flagged", "leaking")),
        ]
        for row in rows
    ]
    return view.Table(heads, drawn)


def _flagged(rows: Sequence[Row], kinds: Mapping[str, view.Kind]) -> view.Table:
    drawn: list[list[view.Cell]] = [
        [view.Code(row["flag"]), _system(row["system"], kinds), row["kind"], f"{row['turns']:,}", FLAGS[row["flag"]]]
        for row in rows
    ]
    return view.Table([*view.whole("flag", "system", "kind"), *view.right("turns"), *view.left("")], drawn)


def _error(row: Row) -> float | None:
    """How often a judge rates a known bad text above a known good one."""
    return None if row["auc"] is None else 1 - row["auc"]


def _standings(rows: Sequence[Row]) -> view.Table:
    heads = [*view.whole("criterion", "judge", "standing"), *view.right("good", "bad", "error"), *view.left("")]
    drawn: list[list[view.Cell]] = []
    for row in sorted(rows, key=lambda row: (row["judge"], row["criterion"])):
        error = _error(row)
        names: list[view.Cell] = [view.Code(row["criterion"]), view.Code(row["judge"]), row["standing"]]
        counted = [f"{row[name]:,}" for name in ("good", "bad")]
        drawn.append([*names, *counted, "" if error is None else f"{error:.0%}", row["why"]])
    return view.Table(heads, drawn)


def _means(rows: Sequence[Row], outcome: Outcome, kinds: Mapping[str, view.Kind]) -> view.Table:
    """A row for each criterion and system, with where the mean lies on the scale, and how often the judge errs."""
    low, high = outcome.scale
    errors = {(row["criterion"], row["judge"]): _error(row) for row in outcome.standings}
    heads = [
        *view.whole("criterion", "system"),
        *view.right("answers", "mean", "99 %"),
        *view.whole(f"{low} to {high}"),
        *view.right("votes agree", "judge errs"),
    ]
    drawn: list[list[view.Cell]] = []
    before = ""
    for row in rows:
        name: view.Cell = view.Code(row["criterion"]) if row["criterion"] != before else ""
        before = row["criterion"]
        error = errors.get((row["criterion"], row["judge"]))
        drawn.append(
            [
                name,
                _system(row["system"], kinds),
                f"{row['answers']:,}",
                f"{row['mean']:.2f}",
                _range(row, ".2f"),
                view.Interval(*_on_axis(row, "mean", low, high), kinds.get(row["system"], view.PLAIN)),
                "" if row["agreement"] is None else f"{row['agreement']:.0%}",
                "" if error is None else f"{error:.0%}",
            ]
        )
    return view.Table(heads, drawn)


def _differences(rows: Sequence[Row], scale: tuple[int, int]) -> view.Table:
    """How far the second of two systems lies above the first; where the interval leaves out 0 they differ."""
    width = scale[1] - scale[0]
    heads = [
        *view.whole("criterion", "judge"),
        *view.right("questions", "difference", "99 %"),
        *view.whole(f"-{width} to {width}"),
    ]
    drawn: list[list[view.Cell]] = [
        [
            view.Code(row["criterion"]),
            view.Code(row["judge"]),
            f"{row['questions']:,}",
            f"{row['difference']:+.2f}",
            _range(row, "+.2f"),
            view.Interval(*_on_axis(row, "difference", -width, width)),
        ]
        for row in rows
    ]
    return view.Table(heads, drawn)


def _range(row: Row, form: str) -> str:
    return "" if row["low"] is None else f"{row['low']:{form}} to {row['high']:{form}}"


def _on_axis(row: Row, of: str, low: float, high: float) -> tuple[float, float, float]:
    """Where a value and its interval lie between two ends, from 0 to 1."""
    ends = (row[of], row["low"], row["high"])
    at, first, last = (min(max(((row[of] if one is None else one) - low) / (high - low), 0), 1) for one in ends)
    return at, first, last


def _radar(rows: Sequence[Row], kinds: Mapping[str, view.Kind], scale: tuple[int, int]) -> view.Radar | None:
    """The means of each system; one that has none by some criterion is left out."""
    criteria = list(dict.fromkeys(row["criterion"] for row in rows))
    rings = []
    for system, kind in list(kinds.items())[:_MOST_RINGS]:
        own = {row["criterion"]: row["mean"] for row in rows if row["system"] == system}
        if all(one in own for one in criteria):
            rings.append((kind, [(own[one] - scale[0]) / (scale[1] - scale[0]) for one in criteria]))
    return view.Radar([one.rpartition(".")[2] for one in criteria], rings) if rings and len(criteria) > 2 else None


# In the UI


def logged_shown(rows: pl.DataFrame) -> list[view.Block]:
    """Interviews by system, and how many turns are flagged, with what that means."""
    told = rows.group_by("character", "system", "kind").agg(pl.len()).sort("character", "system", "kind")
    counted: list[list[view.Cell]] = [
        [character, view.Code(system), kind, f"{count:,}"] for character, system, kind, count in told.iter_rows()
    ]
    flags = rows["flags"].explode(empty_as_null=True, keep_nulls=True).drop_nulls().value_counts(sort=True)
    flagged: list[list[view.Cell]] = [
        [view.Code(flag), f"{count:,}", FLAGS[flag]] for flag, count in flags.sort("flags").iter_rows()
    ]
    return [
        view.Table([*view.left("character"), *view.whole("system", "kind"), *view.right("interviews")], counted),
        view.Table([*view.whole("flag"), *view.right("turns"), *view.left("")], flagged),
    ]


def answers_shown(rows: pl.DataFrame) -> list[view.Block]:
    """Answers by system: how many, how long, how many are flagged or say what the character cannot know."""
    told = counts(named(rows)).to_dicts()
    return [_counts(told, _kinds(told))]
