"""A survey's page: shares with their intervals, what changed in the second round, reasons, and what it can't show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from persona_assets.surveys.survey import ALL, Survey
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent

VOICES = 3  # reasons that are shown for each option
LIMITS = [
    "A simulation: models answered in the place of people who do not exist. The intervals are of sampling alone. They "
    "do not cover what a model takes for typical of a person, what the crawl shows of whom, or who is missing in it.",
    "It cannot say what share of a real population thinks so. Weights make the respondents like given margins in these "
    "attributes, in nothing else. Where shares of a real survey are named, the distance to them is the only evidence.",
    "Models agree more with one another than people do, seldom refuse, and avoid what is impolite: answers that few "
    "people give are too rare.",
]
OFFLINE = "The offline engine answered: its choices are drawn by chance and say nothing at all."
_ROUNDS = {1: "First answers", 2: "After they saw what others said"}


@dataclass(frozen=True)
class Outcome:
    """What a survey came to: rows of `survey_results`, models that answered, some reasons by option, and needs."""

    name: str
    survey: Survey
    results: list[dict[str, Any]]
    models: Sequence[str]
    reasons: Mapping[str, Sequence[str]]
    moved: Sequence[tuple[str, str, int]] = ()
    dialogues: int = 0
    needs: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values, without the ids."""
        ids = ("parent_ids", "answer_ids", "second_answer_ids")
        return {
            "survey": self.name,
            "question": self.survey.question,
            "models": [*self.models],
            "results": [{key: value for key, value in row.items() if key not in ids} for row in self.results],
            "moved": [{"from": one, "to": other, "respondents": count} for one, other, count in self.moved],
            "dialogues": self.dialogues,
            "needs": self.needs,
            "limits": LIMITS,
        }


def voices(answers: pl.DataFrame) -> dict[str, list[str]]:
    """For each option some reasons, those of the lowest ids."""
    found = (
        answers.drop_nulls("choice")
        .sort("sample_id")
        .group_by("choice", maintain_order=True)
        .agg(pl.col("reason").head(VOICES))
    )
    return dict(found.iter_rows())


def moves(first: pl.DataFrame, second: pl.DataFrame) -> list[tuple[str, str, int]]:
    """How many respondents went from which choice to which; "" stands for none. `first` has `shown_id` and `choice`."""
    then = second.select(shown_id=pl.col("parent_ids").list.first(), later=pl.col("choice").fill_null(""))
    counts = first.join(then, on="shown_id").group_by(pl.col("choice").fill_null(""), "later").len()
    return [(one, other, count) for one, other, count in counts.sort("choice", "later").iter_rows() if one != other]


def survey_page(outcome: Outcome) -> view.Page:
    """A survey's page."""
    title = outcome.survey.title or outcome.name
    return view.Page(("Survey: ", view.Code(title)), "What personas answered.", blocks(outcome))


def blocks(outcome: Outcome) -> list[view.Block]:
    """What there is to see."""
    survey = outcome.survey
    asked: list[view.Line] = [("Question: ", view.Code(text)) for text in survey.question.values()]
    asked += [("Told before: ", view.Code(text)) for text in survey.announcement.values()]
    first = next((row for row in outcome.results if (row["round"], row["by"]) == (1, ALL)), None)
    if first is None:
        return [view.Lines([*asked, "Nobody has answered yet."])]
    figures = view.Figures(
        [
            ("asked", f"{first['asked']:,}", f"of {survey.size:,} wanted" if first["asked"] < survey.size else ""),
            ("chose", f"{first['answered']:,}", percent(first["answered"], first["asked"])),
            ("refused", f"{first['refused']:,}", percent(first["refused"], first["asked"])),
            ("no usable answer", f"{first['unanswered']:,}", percent(first["unanswered"], first["asked"])),
        ]
    )
    models: list[view.Line] = [("Answered by ", view.Code(", ".join(outcome.models)))]
    models += [OFFLINE] if any(one.startswith("offline") for one in outcome.models) else []
    found: list[view.Block] = [figures, view.Lines([*asked, *models])]
    for number, title in _ROUNDS.items():
        rows = [row for row in outcome.results if row["round"] == number]
        if rows:
            found.append(view.Section(title, _round(survey, rows)))
    if outcome.moved:
        moved = [(one or "nothing", other or "nothing", f"{count:,}") for one, other, count in outcome.moved]
        table = view.Table([*view.whole("from", "to"), *view.right("respondents")], moved)
        found.append(view.Section("Who changed their mind", [table]))
    if outcome.reasons:
        said = [
            view.Section((view.Code(option),), [view.Lines([(view.Code(reason),) for reason in reasons])])
            for option, reasons in outcome.reasons.items()
        ]
        found.append(view.Section("In their own words", said))
    if outcome.needs:
        found.append(view.Section("Needs of virtual customers", [_needs(outcome.needs)]))
    return [*found, view.Section("What this can't show", [view.Lines(LIMITS)])]


def _round(survey: Survey, rows: Sequence[dict[str, Any]]) -> list[view.Block]:
    everybody = [row for row in rows if row["by"] == ALL]
    found: list[view.Block] = [_shares(survey, everybody)]
    compared = everybody[0]["total_variation"] is not None
    if compared and survey.real:
        far = f"Total variation from {survey.real.source}: {everybody[0]['total_variation']:.3f}"
        ks = everybody[0]["ks"]
        found.append(
            view.Lines([f"{far}{f'; KS: {ks:.3f}' if ks is not None else ''} (0 the same, 1 nothing in common)."])
        )
    if survey.margins:
        size = everybody[0]["effective_size"] or 0
        margins = ", ".join(survey.margins)
        found.append(view.Lines([("Weighted by ", view.Code(margins), f"; worth {size:,.1f} answers of one weight.")]))
    order = {name: at for at, name in enumerate(survey.groups)}
    groups = sorted((row for row in rows if row["by"] != ALL), key=lambda row: (order[row["by"]], row["value"]))
    return [*found, _groups(survey, groups)] if groups else found


def results_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in the rows of `survey_results`: the shares of everybody, round by round."""
    heads = [
        *view.right("round"),
        *view.whole("option"),
        *view.right("chose", "share", "95 %", "weighted", "real"),
        *view.whole(""),
    ]
    drawn = []
    for row in rows.filter(pl.col("by") == ALL).sort("round", maintain_order=True).iter_rows(named=True):
        best = row["weighted_share"] if row["weighted_share"] is not None else row["share"]
        cells: list[view.Cell] = [
            f"{row['round']}",
            view.Code(row["option"]),
            f"{row['chose']:,}",
            _share(row["share"]),
        ]
        cells += [_range(row), _share(row["weighted_share"]), _share(row["real_share"])]
        drawn.append([*cells, view.bar(1, (view.PLAIN, best or 0.0))])
    return [view.Table(heads, drawn), view.Lines(LIMITS[:1])]


def _shares(survey: Survey, rows: Sequence[dict[str, Any]]) -> view.Table:
    weighted, real = bool(survey.margins), any(row["real_share"] is not None for row in rows)
    heads = [*view.whole("option"), *view.right("chose", "share", "95 %")]
    heads += view.right("weighted", "95 %") if weighted else []
    heads += view.right("real") if real else []
    drawn = []
    for row in rows:
        cells: list[view.Cell] = [view.Code(row["option"]), f"{row['chose']:,}", _share(row["share"]), _range(row)]
        cells += [_share(row["weighted_share"]), _range(row, "weighted_")] if weighted else []
        cells += [_share(row["real_share"])] if real else []
        best = row["weighted_share"] if row["weighted_share"] is not None else row["share"]
        drawn.append([*cells, view.bar(1, (view.PLAIN, best or 0.0))])
    return view.Table([*heads, *view.whole("")], drawn)


def _groups(survey: Survey, rows: Sequence[dict[str, Any]]) -> view.Table:
    """A row for each group, with the share of each option."""
    options = [option.id for option in survey.options]
    by_group: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_group.setdefault((row["by"], row["value"]), {})[row["option"]] = row
    far = any(row["total_variation"] is not None for row in rows)
    heads = [*view.whole("by", "value"), *view.right("chose", "refused", *options)]
    heads += view.right("from real") if far else []
    drawn = []
    for (by, value), of in by_group.items():
        one = of[options[0]]
        cells: list[view.Cell] = [view.Code(by), view.Code(value), f"{one['answered']:,}", f"{one['refused']:,}"]
        cells += [_with_range(of[option]) for option in options]
        cells += ["" if one["total_variation"] is None else f"{one['total_variation']:.3f}"] if far else []
        drawn.append(cells)
    return view.Table(heads, drawn)


def _needs(needs: Sequence[dict[str, Any]]) -> view.Table:
    heads = [*view.whole("need"), *view.right("customers", "share", "95 %", "importance"), *view.left("such as")]
    rows: list[list[view.Cell]] = [
        [
            view.Code(row["kind"]),
            f"{row['customers']:,}",
            _share(row["share"]),
            _range(row),
            f"{row['importance']:.1f}",
            view.Code((row["examples"] or [""])[0]),
        ]
        for row in sorted(needs, key=lambda row: (-row["customers"], row["kind"]))
    ]
    return view.Table(heads, rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _with_range(row: Mapping[str, Any]) -> str:
    return f"{_share(row['share'])} ({_range(row)})" if row["share"] is not None else ""


def _range(row: Mapping[str, Any], of: str = "") -> str:
    low, high = row[f"{of}low"], row[f"{of}high"]
    return "" if low is None else f"{low:.0%}–{high:.0%}"
