"""What a questionnaire came to: scores with intervals, types, what behaviour says, and what it can't show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import polars as pl

from persona_assets.questionnaires.scores import OPEN
from persona_assets.view import blocks as view

Row = Mapping[str, Any]
MOST_DRAWN = 12  # dimensions of a radar
MOST_OPEN = 2  # letters of a type that is shown at those that it may be
OFFLINE = "The offline engine answered: its answers are drawn by chance and say nothing at all."
LIMITS = [
    "What a model says of itself is not how it behaves. A questionnaire alone predicts little of it: look at the "
    "behaviour in situations, where a calibrated judge has placed it.",
    "A type is what letters add up to. Traits are matters of degree: of two types that are one letter apart the scores "
    "may be nearly the same, and a score near the middle is no trait.",
    "Models have learnt which answers are liked, and may know a questionnaire that is published. Refusals, the shift "
    "between the scales and items for opposite poles show how far answers can be relied on, not whether they are true.",
    "Intervals are of the items, at 99 %: other items, words or languages may give other scores.",
]
_BETWEEN = [view.Head("99 %", right=True, whole=True), *view.right(""), *view.whole("", "")]
_TONES: tuple[tuple[Literal["blue", "amber", "green", "red"], str], ...] = (
    *(("blue", "█"), ("amber", "▓"), ("green", "▒"), ("red", "░")),
)


@dataclass(frozen=True)
class Outcome:
    """What a questionnaire came to: rows of `questionnaire_scores`, `questionnaire_types` and what goes with them.

    `choices` are scores of forced choices, `behaviour` and `agreement` rows of `situation_scores` and
    `mindset_agreement`, `models` what answered; where there are two systems, `compared` names them and `differences`
    says how far the second one lies from the first.
    """

    name: str
    title: str
    scores: Sequence[Row]
    types: Sequence[Row]
    models: Sequence[str]
    choices: Sequence[Row] = ()
    behaviour: Sequence[Row] = ()
    agreement: Sequence[Row] = ()
    differences: Sequence[Row] = ()
    compared: tuple[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values, without ids."""
        told = {
            "scores": self.scores,
            "types": self.types,
            "choices": self.choices,
            "behaviour": self.behaviour,
            "agreement": self.agreement,
            "differences": self.differences,
        }
        ids = (
            "sample_id",
            "task",
            "persona_ids",
            "document_id",
            "parent_ids",
            "shard",
            "run_id",
            "created_at",
            "said_id",
        )
        return {
            "questionnaire": self.name,
            "models": [*self.models],
            "compared": self.compared,
            **{name: [{key: row[key] for key in row if key not in ids} for row in rows] for name, rows in told.items()},
            "limits": LIMITS,
        }


def questionnaire_page(outcome: Outcome) -> view.Page:
    """A questionnaire's page."""
    return view.Page(
        ("Questionnaire: ", view.Code(outcome.title or outcome.name)),
        "What systems say of themselves.",
        blocks(outcome),
    )


def blocks(outcome: Outcome) -> list[view.Block]:
    """What there is to see, language by language."""
    scores = [*outcome.scores, *outcome.choices]
    if not scores:
        return [view.Lines(["Nobody has answered yet."])]
    kinds = _kinds(scores)
    models: list[view.Line] = [("Answered by ", view.Code(", ".join(outcome.models)))]
    models += [OFFLINE] if any(one.startswith("offline") for one in outcome.models) else []
    found: list[view.Block] = [view.Lines(models), view.Legend(list(kinds.values()))]
    for language in sorted({row["language"] for row in scores}):
        found += _language(outcome, language, kinds)
    return [*found, view.Section("What this can't show", [view.Lines(LIMITS)])]


def _language(outcome: Outcome, language: str, kinds: Mapping[str, view.Kind]) -> list[view.Block]:
    def of(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row["language"] == language]

    whole = [row for row in of(outcome.scores) if row["run"] is None]
    found: list[view.Block] = []
    if whole:
        radar = _radar(whole, kinds)
        parts = [*([radar] if radar else []), *_scores(whole, kinds)]
        found.append(view.Section(("What they say of themselves, ", view.Code(language)), parts))
    if outcome.compared and (moved := of(outcome.differences)):
        first, second = (view.Code(name) for name in outcome.compared)
        found.append(view.Section((second, " less ", first, ", ", view.Code(language)), [_differences(moved)]))
    if whole:
        found.append(view.Section(("How far that can be relied on, ", view.Code(language)), [_reliance(whole)]))
    if types := of(outcome.types):
        parts = [_types(types, kinds), _grid([row for row in types if row["run"] is None], whole, kinds)]
        found.append(view.Section(("Types, ", view.Code(language)), parts))
    if choices := of(outcome.choices):
        found.append(view.Section(("Forced choice, ", view.Code(language)), _scores(choices, kinds)))
    if behaviour := of(outcome.behaviour):
        said = of(outcome.agreement)
        found.append(view.Section(("What they do in situations, ", view.Code(language)), _behaviour(behaviour, kinds)))
        if said:
            found.append(view.Section(("Said and done, ", view.Code(language)), [_agreement(said)]))
    return found


def _kinds(rows: Sequence[Row]) -> dict[str, view.Kind]:
    """A colour for each system."""
    systems = sorted({row["system"] for row in rows})
    return {name: view.Kind(name, *_TONES[place % len(_TONES)]) for place, name in enumerate(systems)}


def _by_language(rows: Sequence[Row], drawn: Callable[[list[Row]], list[view.Block]]) -> list[view.Block]:
    languages = sorted({row["language"] for row in rows})
    return [
        view.Section((view.Code(one),), drawn([row for row in rows if row["language"] == one])) for one in languages
    ]


def scores_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in the rows of scores: those over all runs, with their intervals."""
    whole = rows.filter(pl.col("run").is_null()).to_dicts()
    return [*_by_language(whole, lambda some: _scores(some, _kinds(whole))), view.Lines(LIMITS[:1])]


def types_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in the rows of types: of each system the type over all runs, and those of the runs."""
    found = rows.to_dicts()
    return [*_by_language(found, lambda some: [_types(some, _kinds(found))]), view.Lines(LIMITS[1:2])]


def behaviour_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in the rows of situations' scores: where judges place what systems do."""
    found = rows.to_dicts()
    return _by_language(found, lambda some: _behaviour(some, _kinds(found)))


def agreement_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in the rows of agreement: what is said beside what is done."""
    return [*_by_language(rows.to_dicts(), lambda some: [_agreement(some)]), view.Lines(LIMITS[:1])]


def _ordered(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["place"], row["dimension"], row["system"]))


def _system(name: str, kinds: Mapping[str, view.Kind]) -> view.Line:
    return (kinds[name],) if len(kinds) > 1 and name in kinds else (view.Code(name),)


def _why_open(rows: Sequence[Row]) -> list[view.Block]:
    """Why letters are open, the reasons in words of ours."""
    by_reason: dict[str, list[view.Span]] = {}
    for row in _ordered(rows):
        if why := row["open_because"]:
            named = by_reason.setdefault(why, [])
            named += [", " if named else "", view.Code(row["dimension"]), " of ", view.Code(row["system"])]
    return [view.Lines([(f"Open, as {why}: ", *spans) for why, spans in by_reason.items()])] if by_reason else []


def _scores(rows: Sequence[Row], kinds: Mapping[str, view.Kind]) -> list[view.Block]:
    """A row for each dimension and system: the letter, the score, and where its interval lies between the poles."""
    heads = [
        *view.whole("dimension", "system", "letter"),
        *view.right("score"),
        *_BETWEEN,
    ]
    drawn: list[list[view.Cell]] = []
    before = ""
    for row in _ordered(rows):
        name: view.Cell = view.Code(row["dimension"]) if row["dimension"] != before else ""
        before = row["dimension"]
        drawn.append(
            [
                name,
                _system(row["system"], kinds),
                row["letter"],
                _signed(row["score"]),
                _range(row),
                view.Code(row["first_pole"]),
                _interval(row, kinds),
                view.Code(row["second_pole"]),
            ]
        )
    return [view.Table(heads, drawn), *_why_open(rows)]


def _differences(rows: Sequence[Row]) -> view.Table:
    """How far the second of two systems lies from the first; where the interval leaves out 0 it has moved."""
    drawn: list[list[view.Cell]] = [
        [
            view.Code(row["dimension"]),
            _signed(row["difference"]),
            _range(row),
            view.Code(row["first_pole"]),
            view.Interval(*_on_axis(row, "difference", 2)),
            view.Code(row["second_pole"]),
        ]
        for row in sorted(rows, key=lambda row: (row["place"], row["dimension"]))
    ]
    return view.Table([*view.whole("dimension"), *view.right("difference"), *_BETWEEN], drawn)


def _on_axis(row: Row, of: str, end: float) -> tuple[float, float, float]:
    """Where a value and its interval lie on an axis from -`end` to `end`, from 0 to 1."""
    low, high = (row[of] if row[one] is None else row[one] for one in ("low", "high"))
    at, first, last = ((1 + value / end) / 2 for value in (row[of], low, high))
    return at, first, last


def _interval(row: Row, kinds: Mapping[str, view.Kind]) -> view.Cell:
    if row["score"] is None:
        return ""
    return view.Interval(*_on_axis(row, "score", 1), kinds.get(row["system"], view.PLAIN))


def _radar(rows: Sequence[Row], kinds: Mapping[str, view.Kind]) -> view.Radar | None:
    """Opposite poles face each other; a system that has no score somewhere is left out."""
    dimensions = {row["dimension"]: row for row in _ordered(rows)}
    if not 2 <= len(dimensions) <= MOST_DRAWN:
        return None
    named = all(len(row[pole]) == 1 for row in dimensions.values() for pole in ("first_pole", "second_pole"))
    axes = [
        row[pole] if named else f"{name}: {row[pole]}"
        for pole in ("first_pole", "second_pole")
        for name, row in dimensions.items()
    ]
    rings = []
    for system, kind in kinds.items():
        own = {row["dimension"]: row["score"] for row in rows if row["system"] == system}
        known = [own.get(name) for name in dimensions]
        if all(score is not None for score in known):
            shares = [(1 + score) / 2 for score in known if score is not None]
            rings.append((kind, [*(1 - share for share in shares), *shares]))
    return view.Radar(axes, rings) if rings else None


def _reliance(rows: Sequence[Row]) -> view.Table:
    heads = [
        *view.whole("dimension", "system"),
        *view.right("items", "answers", "refused", "unreadable", "consistency", "shift of scales", "of runs", "alpha"),
    ]
    return view.Table(
        heads,
        [
            [
                view.Code(row["dimension"]),
                view.Code(row["system"]),
                f"{row['items']}",
                f"{row['asked']:,}",
                *(f"{row[name] / row['asked']:.0%}" for name in ("refused", "unreadable")),
                *(_figure(row[name]) for name in ("consistency", "scale_shift", "run_shift", "alpha")),
            ]
            for row in _ordered(rows)
        ],
    )


def _types(types: Sequence[Row], kinds: Mapping[str, view.Kind]) -> view.Table:
    """The type of each system over all runs, and those of the runs."""
    heads = [*view.whole("system", "type"), *view.right("margin", "runs that say so"), *view.whole("runs")]
    each = {name: [row["type"] for row in types if row["system"] == name and row["run"] is not None] for name in kinds}
    return view.Table(
        heads,
        [
            [
                _system(row["system"], kinds),
                row["type"],
                f"{row['margin']:.2f}" if not row["open"] else "",
                f"{row['runs_alike']} of {row['runs']}",
                ", ".join(each[row["system"]]),
            ]
            for row in sorted(types, key=lambda row: row["system"])
            if row["run"] is None
        ],
    )


def _grid(whole: Sequence[Row], scores: Sequence[Row], kinds: Mapping[str, view.Kind]) -> view.Table:
    """All types, the poles of the first half of the dimensions down and those of the others across; whose each is.

    A type with up to two open letters stands, as possible, at every type that it may be.
    """
    dimensions = list({row["dimension"]: (row["first_pole"], row["second_pole"]) for row in _ordered(scores)}.values())
    letters = [poles for poles in dimensions if all(len(pole) == 1 for pole in poles)]
    half = len(letters) // 2
    down, across = (["".join(one) for one in product(*part)] for part in (letters[:half], letters[half:]))
    rows: list[list[view.Cell]] = []
    for first in down:
        cells: list[view.Cell] = []
        for second in across:
            spans: list[view.Span] = [f"{first}{second}"]
            for row in whole:
                if row["open"] <= MOST_OPEN and all(
                    one in (OPEN, two) for one, two in zip(row["type"], first + second, strict=True)
                ):
                    clear = OPEN not in row["type"]
                    spans += ["  ", kinds[row["system"]] if clear else f"({row['system']}?)"]
            cells.append(tuple(spans))
        rows.append(cells)
    return view.Table(view.whole(*([""] * len(across))), rows)


def _behaviour(rows: Sequence[Row], kinds: Mapping[str, view.Kind]) -> list[view.Block]:
    heads = [
        *view.whole("dimension", "system", "judge", "letter"),
        *view.right("placed", "score"),
        *_BETWEEN,
    ]
    table = view.Table(
        heads,
        [
            [
                view.Code(row["dimension"]),
                _system(row["system"], kinds),
                view.Code(row["judge"] or "none"),
                row["letter"],
                f"{row['asked'] - row['unplaced']} of {row['asked']}",
                _signed(row["score"]),
                _range(row),
                view.Code(row["first_pole"]),
                _interval(row, kinds),
                view.Code(row["second_pole"]),
            ]
            for row in _ordered(rows)
        ],
    )
    return [table, *_why_open(rows)]


def _agreement(rows: Sequence[Row]) -> view.Table:
    heads = [*view.whole("dimension", "system", "judge", "says", "does", ""), *view.right("said", "done", "apart")]
    return view.Table(
        heads,
        [
            [
                view.Code(row["dimension"]),
                view.Code(row["system"]),
                view.Code(row["judge"] or "none"),
                row["said_letter"],
                row["shown_letter"],
                row["outcome"],
                _signed(row["said"]),
                _signed(row["shown"]),
                _figure(row["apart"]),
            ]
            for row in sorted(rows, key=lambda row: (row["dimension"], row["system"], row["judge"] or ""))
        ],
    )


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _range(row: Row) -> str:
    return "" if row["low"] is None else f"{row['low']:+.2f} to {row['high']:+.2f}"
