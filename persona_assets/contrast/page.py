"""The report on pairs as blocks and as a page."""

from collections.abc import Sequence

from persona_assets.contrast.probe import LEAST
from persona_assets.contrast.reasons import (
    BY_TEXT,
    CODE_DIFFERS,
    EMPTY,
    IDENTICAL,
    NAMES_TYPE,
    NUMBERS_DIFFER,
    TOO_ALIKE,
)
from persona_assets.contrast.report import EXAMPLES, Example, Meaning, Report
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent
from persona_assets.view.safe import one_line

SHOWN = 300  # characters of an answer
SAID = {
    EMPTY: "an answer without text",
    IDENTICAL: "both answers are the same",
    NAMES_TYPE: "an answer names a pole, a type or the theory",
    CODE_DIFFERS: "blocks of code that differ",
    NUMBERS_DIFFER: "both state numbers, and not the same ones",
    TOO_ALIKE: "answers that mean nearly the same",
}
_NOTES = [
    "Checks count apart: a pair may be in several. Repeated instructions are told and are no fault. One is the answer "
    "of the first file, or the chosen one; other is that of the second, or the rejected one.",
    "Meaning is compared where answers are neither identical nor empty, on a sample of each language.",
    "The probe learns from the vectors of two answers which of them is of which pole, and says it of pairs that it has "
    "not seen. 50% is chance; with labels drawn by chance it has to be near that.",
    f"It is not measured on fewer than {LEAST} instructions. None of these checks knows whether an answer is right.",
]


def pairs_page(reports: Sequence[Report]) -> view.Page:
    """The reports on files."""
    return view.Page("Pairs of answers", "Checked now; nothing was asked.", blocks(reports))


def blocks(reports: Sequence[Report]) -> list[view.Block]:
    """What the figures mean, and what there is to see in the pairs of each file, or of two."""
    return [view.Lines(_NOTES), *(_section(one) for one in reports)]


def _section(report: Report) -> view.Section:
    title: list[view.Span] = [view.Code(name) for name in report.files]
    if len(title) == 2:
        title.insert(1, " beside ")
    figures = view.Figures(
        [
            ("pairs", f"{report.pairs:,}", ""),
            ("with nothing to say of their texts", f"{report.standing:,}", percent(report.standing, report.pairs)),
            ("repeated instructions", f"{report.repeated:,}", percent(report.repeated, report.pairs)),
        ]
    )
    found: list[view.Block] = [
        figures,
        view.Section("Texts", [_checks(report)]),
        view.Section("Words of types", [_words(report)]),
    ]
    if report.meaning:
        found.append(view.Section("Meaning", [_meaning(report)]))
    if any(report.examples.values()):
        found.append(view.Section("Examples", [view.Lines([f"The first {EXAMPLES} pairs of each check."])]))
        found += [_quotes(report, name, one) for name in SAID for one in report.examples.get(name, ())]
    return view.Section(tuple(title), found)


def _checks(report: Report) -> view.Table:
    rows = [
        (view.Code(name), SAID[name], f"{count:,}", percent(count, report.pairs), _bar(count, report.pairs))
        for name, count in ((name, report.checks[name]) for name in BY_TEXT)
    ]
    heads = [*view.whole("check", "what it finds"), *view.right("pairs", "share"), *view.whole("")]
    return view.Table(heads, rows)


def _bar(count: int, whole: int) -> view.Bar:
    return view.bar(whole, (view.PLAIN, count))


def _words(report: Report) -> view.Table:
    heads = [*view.whole("answers with words of"), *view.right(*(one_line(side, 40) for side in report.sides))]
    rows = [(kind, *(f"{count:,}" for count in counts)) for kind, counts in report.words.items()]
    return view.Table(heads, [*rows, ("any kind", *(f"{count:,}" for count in report.named))])


def _meaning(report: Report) -> view.Table:
    heads = [
        *view.whole("language"),
        *view.right("pairs", "compared", f"cosine above {report.ceiling:g}", "median", "told apart", "shuffled"),
        *view.whole("", "encoder"),
    ]
    return view.Table(heads, [_measured(one) for one in report.meaning])


def _measured(one: Meaning) -> list[view.Cell]:
    probe = one.probe
    return [
        one.language,
        f"{one.pairs:,}",
        f"{one.sampled:,}",
        f"{one.above:,} ({percent(one.above, one.sampled)})" if one.sampled else "",
        "" if one.median is None else f"{one.median:.2f}",
        f"{probe.accuracy:.1%} ({probe.low:.1%} to {probe.high:.1%})" if probe else "not measured",
        f"{probe.shuffled:.1%}" if probe else "",
        view.bar(1, (view.PLAIN, probe.accuracy if probe else 0.0)),
        view.Code(one.encoder.rpartition("/")[2]),
    ]


def _quotes(report: Report, check: str, one: Example) -> view.Quotes:
    head: view.Line = (
        view.Code(check),
        f", row {one.row}: ",
        view.Code(one_line(f"{one.detail} — {one.instruction}", SHOWN)),
    )
    return view.Quotes(
        head,
        [
            view.Quote(one_line(side, 40), [(one_line(text, SHOWN), False)])
            for side, text in zip(report.sides, (one.one, one.other), strict=True)
        ],
    )
