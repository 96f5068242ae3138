"""What the command shows of a file that was held to benchmarks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent
from persona_assets.view.safe import one_line

if TYPE_CHECKING:
    from persona_assets.contamination.file import Outcome

SHOWN = 600  # characters of a text


def summary(outcome: "Outcome") -> list[view.Block]:
    """How many rows were kept, and which benchmarks the others overlap."""
    counts = {"kept": outcome.kept, "contaminated": outcome.contaminated, "set aside": outcome.set_aside.total()}
    figures = [(name, f"{count:,}", percent(count, outcome.rows)) for name, count in counts.items()]
    rows = [
        (view.Code(name), f"{of['items']:,}", f"{of['items_found']:,}", f"{of['rows']:,}")
        for name, of in outcome.benchmarks.items()
    ]
    heads = [*view.left("benchmark"), *view.right("items", "of these found", "rows contaminated")]
    return [view.Figures([("rows", f"{outcome.rows:,}", ""), *figures]), view.Table(heads, rows)]


def facts(outcome: "Outcome") -> list[tuple[view.Line, view.Line]]:
    """What was left out of account, and what the work took."""
    found: list[tuple[view.Line, view.Line]] = [
        (f"set aside as {reason.replace('_', ' ')}", f"{count:,}") for reason, count in outcome.set_aside.most_common()
    ]
    told = {
        "items too short to decide": outcome.undecided,
        "pieces that are the form of a benchmark, not counted": outcome.form_pieces,
        "pieces in very many places of the file, not counted": outcome.frequent_pieces,
        "rows kept that share only such pieces": outcome.only_frequent,
    }
    found += [(name, f"{count:,}") for name, count in told.items() if count]
    time, memory = f"{outcome.seconds:,.1f} s", f"{outcome.peak_memory_mb:,} MiB"
    return [*found, ("time", time), ("peak memory", memory)]


def report_page(outcome: "Outcome", texts: Sequence[str]) -> view.Page:
    """The report of a file; `texts` are those of the rows of its examples."""
    quotes = [
        view.Quotes(
            f"Row {one.row}",
            [
                view.Quote("row", [(_cut(text), False)]),
                view.Quote(f"{one.part} of {one_line(one.item.told)}", [(_cut(one.shared), False)]),
            ],
        )
        for one, text in zip(outcome.examples, texts, strict=True)
    ]
    said = "A row is contaminated where it shares 13 words in a row with an item, or 20 characters of Chinese."
    sections: list[view.Block] = [view.Section("Figures", [view.facts(facts(outcome))])]
    if quotes:
        sections.insert(0, view.Section("Examples", [*quotes]))
    return view.Page(
        ("Overlap with benchmarks in ", view.Code(outcome.file)),
        ("Column ", view.Code(outcome.column), ". Rows are numbered from 0, items from 1."),
        [*summary(outcome), view.Lines([said]), *sections],
    )


def _cut(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
