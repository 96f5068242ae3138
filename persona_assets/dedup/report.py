"""A report on a deduplicated file, as one HTML page or as Markdown, with example texts read from the file again.

The texts are whatever the file holds: the page escapes them, Markdown gets them in code spans that they cannot leave.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from persona_assets.dedup.strands import encoders_told
from persona_assets.dedup.survivors import METHODS
from persona_assets.text.page import page
from persona_assets.text.tokens import token_lists

if TYPE_CHECKING:
    from persona_assets.dedup.file import Outcome

GROUPS, GROUP_EXAMPLES, PAIRS = 10, 3, 20
SHOWN = 300  # characters of a text
LEAD = 80  # characters before the first difference, where that lies beyond what is shown
BAR = 40  # characters of the longest bar in Markdown
_JOINERS = "\u200c\u200d"  # hold emoji and words of some scripts together, and do nothing else
# Letters that stand next to each other without a space between words, and all else that is not space.
_UNSPACED = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_CHUNK = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+|\s+")

Segments = list[tuple[str, bool]]  # pieces of a text, and whether a piece is marked
TextsAt = Callable[[np.ndarray[Any, np.dtype[np.int64]]], pl.Series]


@dataclass(frozen=True)
class Pair:
    """A removed row and the one that stands for it."""

    row: int
    survivor: int
    similarity: float
    method: str
    removed_text: Segments
    survivor_text: Segments


@dataclass(frozen=True)
class Group:
    """A kept row, how many rows it stands for besides itself, and some of those."""

    survivor: int
    size: int
    text: str
    examples: list[tuple[int, float, str]]  # row, similarity, text


@dataclass(frozen=True)
class Bin:
    """A bin of the similarity histogram with its removed rows by method."""

    label: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Rows of all methods."""
        return sum(self.counts.values())


def render_report(outcome: "Outcome", texts_at: TextsAt, verdicts: pa.Table, suffix: str) -> str:
    """The report of a file: HTML where `suffix` is `.html`, else Markdown. `texts_at` gives the texts of rows."""
    removed = _removed(verdicts)
    content = {
        "outcome": outcome,
        "facts": _facts(outcome),
        "bins": _bins(outcome),
        "groups": _groups(removed, texts_at),
        "pairs": _pairs(removed, texts_at),
        "methods": METHODS,
        "removed": {
            method: outcome.removed[method]
            for method in METHODS
            if method != "semantic" or outcome.settings["semantic"]
        },
    }
    return _html(content) if suffix == ".html" else _markdown(content)


# What is shown


def _removed(verdicts: pa.Table) -> pl.LazyFrame:
    """row, survivor, similarity and method (its place) of the removed rows."""
    return (
        pl.DataFrame(pl.from_arrow(verdicts))
        .lazy()
        .with_row_index("row")
        .filter(pl.col("method").is_not_null())
        .select(pl.col("row").cast(pl.Int64), "survivor", "similarity", "method")
    )


def _groups(removed: pl.LazyFrame, texts_at: TextsAt) -> list[Group]:
    """The kept rows that stand for several, the most first, each with those of its rows that are least like it."""
    largest = (
        removed.group_by("survivor")
        .agg(size=pl.len())
        .filter(pl.col("size") > 1)
        .sort("size", "survivor", descending=[True, False])
        .head(GROUPS)
        .collect()
    )
    examples = (
        removed.filter(pl.col("survivor").is_in(largest["survivor"].implode()))
        .sort("similarity", "row")
        .unique(["survivor", "similarity"], keep="first", maintain_order=True)
        .group_by("survivor", maintain_order=True)
        .head(GROUP_EXAMPLES)
        .collect()
    )
    text_of = _text_of(texts_at, largest["survivor"], examples["row"])
    return [
        Group(
            survivor,
            size,
            _beginning(text_of[survivor]),
            [
                (row, similarity, _beginning(text_of[row], text_of[survivor]))
                for row, similarity in examples.filter(pl.col("survivor") == survivor)
                .select("row", "similarity")
                .iter_rows()
            ],
        )
        for survivor, size in largest.iter_rows()
    ]


def _pairs(removed: pl.LazyFrame, texts_at: TextsAt) -> list[Pair]:
    """Example pairs, spread over the methods and over the similarities; one pair of a survivor and method at most."""
    firsts = removed.sort("row").unique(["survivor", "method"], keep="first", maintain_order=True).collect()
    found = [
        firsts.filter(pl.col("method") == place).sort("similarity", "row", descending=[True, False])
        for place in range(len(METHODS))
    ]
    chosen = [
        rows[np.linspace(0, rows.height - 1, count).round().astype(np.int64)]
        for rows, count in zip(found, _shares([rows.height for rows in found], PAIRS), strict=True)
        if count
    ]
    if not chosen:
        return []
    rows = pl.concat(chosen)
    text_of = _text_of(texts_at, rows["row"], rows["survivor"])
    return [_pair(values, text_of) for values in rows.iter_rows()]


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """How many of each kind are shown: as equal as their numbers allow, `total` together."""
    shares = [0] * len(sizes)
    for _ in range(min(total, sum(sizes))):
        open_ = [place for place, size in enumerate(sizes) if shares[place] < size]
        shares[min(open_, key=lambda place: (shares[place], -place))] += 1
    return shares


def _pair(removed_row: tuple[int, int, float, int], text_of: dict[int, str]) -> Pair:
    row, survivor, similarity, method = removed_row
    texts = clean(text_of[row]), clean(text_of[survivor])
    name = METHODS[method]
    if name == "lexical":
        removed, stays = differing(*texts), differing(*reversed(texts))
        at = min(_first_mark(removed), _first_mark(stays))
    else:
        removed, stays = [(texts[0], False)], [(texts[1], False)]
        at = _first_difference(*texts)
    return Pair(row, survivor, similarity, name, cut(removed, at), cut(stays, at))


def _beginning(text: str, other: str | None = None) -> str:
    """`text`, cut, from where it differs from the other one if that is far on."""
    line = clean(text)
    at = 0 if other is None else _first_difference(line, clean(other))
    return "".join(piece for piece, _ in cut([(line, False)], at))


def _first_difference(text: str, other: str) -> int:
    """Where two texts part; 0 where they are equal."""
    if text == other:
        return 0
    unlike = (at for at, (one, two) in enumerate(zip(text, other, strict=False)) if one != two)
    return next(unlike, min(len(text), len(other)))


def _first_mark(segments: Segments) -> int:
    """Where the first marked piece begins; the length of the text where none is marked."""
    at = 0
    for text, marked in segments:
        if marked:
            break
        at += len(text)
    return at


def _text_of(texts_at: TextsAt, *rows: pl.Series) -> dict[int, str]:
    wanted = np.unique(np.concatenate([series.to_numpy() for series in rows]))
    return dict(zip(wanted.tolist(), texts_at(wanted).to_list(), strict=True))


def clean(text: str) -> str:
    """`text` on one line, with a replacement character for what would reorder, hide or end it."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() or char in _JOINERS else "\ufffd" for char in line)


def cut(segments: Segments, at: int = 0) -> Segments:
    """SHOWN characters of a text in pieces, with an ellipsis where there were more; one piece at least.

    They are the first ones, or those around `at` where that would hardly be seen.
    """
    start = min(at - LEAD, sum(len(text) for text, _ in segments) - SHOWN + 1)
    left, kept = SHOWN, []
    if at > SHOWN - LEAD and start > 1:
        kept.append(("…", False))
        left -= 1
        segments = _dropped(segments, start)
    for text, marked in segments:
        if len(text) > left:
            kept.append((text[: left - 1] + "…" if left else "…", marked and left > 1))
            break
        kept.append((text, marked))
        left -= len(text)
    return kept or [("", False)]


def _dropped(segments: Segments, count: int) -> Segments:
    """The pieces without their first `count` characters."""
    left = []
    for text, marked in segments:
        if len(text) > count:
            left.append((text[count:], marked))
        count = max(count - len(text), 0)
    return left


def differing(text: str, other: str) -> Segments:
    """`text` in pieces, those marked that hold a token which `other` does not have."""
    chunks = _CHUNK.findall(text)
    theirs = set(token_lists(pl.Series([other]))[0].to_list())
    marks = [not theirs.issuperset(tokens) for tokens in token_lists(pl.Series(chunks, dtype=pl.String)).to_list()]
    runs = groupby(zip(chunks, marks, strict=True), key=lambda piece: piece[1])
    return [("".join(chunk for chunk, _ in run), marked) for marked, run in runs]


def _bins(outcome: "Outcome") -> list[Bin]:
    """The histogram from the first to the last bin that has rows.

    Equal word sets, all at 1, are left to the table of methods, or they would dwarf the rest.
    """
    edges = outcome.similarity["bins"]
    drawn = [method for method in METHODS if method != "exact" and outcome.removed[method]]
    if edges[0] == edges[-1] or not drawn:
        return []
    digits = 2 if all(round(edge, 2) == edge for edge in edges) else 3
    bins = [
        Bin(
            f"{low:.{digits}f} to {high:.{digits}f}",
            {method: int(outcome.similarity[method][place]) for method in drawn},
        )
        for place, (low, high) in enumerate(pairwise(edges))
    ]
    filled = [place for place, one in enumerate(bins) if one.total]
    return bins[filled[0] : filled[-1] + 1]


def _facts(outcome: "Outcome") -> list[tuple[str, str]]:
    """What the comparison took and how complete it is, in words."""
    facts = [
        (f"pairs within the threshold, {stage}", f"{count:,}") for stage, count in sorted(outcome.near_pairs.items())
    ]
    facts.append(("pairs compared by their words", f"{outcome.candidates:,}"))
    if outcome.skipped:
        facts.append(("pairs of near-copies that nothing depended on, skipped", f"{outcome.skipped:,}"))
    facts += [(f"estimated recall, {stage}", f"{share:.2%}") for stage, share in outcome.estimated_recall.items()]
    if outcome.not_compared is not None:
        facts += encoders_told(outcome.encoders)
        facts.append(("kept rows in scripts that no encoder knows", f"{outcome.not_compared:,}"))
    return [
        *facts,
        ("time", f"{outcome.seconds:,.1f} s"),
        ("peak memory", f"{outcome.peak_memory_mb:,} MiB"),
        ("parts", f"{outcome.parts:,}"),
    ]


# HTML


def _html(content: dict[str, Any]) -> str:
    template = page(Path(__file__).parent / "report.html.j2", clean=clean, number=_number, rate=_rate)
    return template.render(content)


def _number(value: int) -> str:
    return f"{value:,}"


def _rate(count: int, rows: int) -> str:
    return f"{count / rows:.2%}" if rows else "0%"


# Markdown


def _markdown(content: dict[str, Any]) -> str:
    outcome: Outcome = content["outcome"]
    lines = [
        f"# Near-duplicates in {_code(outcome.file)}",
        "",
        f"Column {_code(outcome.column)}: {outcome.rows:,} rows, {outcome.kept:,} kept "
        f"({_rate(outcome.kept, outcome.rows)}), {outcome.removed.total():,} removed, "
        f"{outcome.set_aside.total():,} set aside.",
        "",
        *_table(("removed by", "rows", "share"), _counts(content["removed"], outcome.rows)),
    ]
    if outcome.set_aside.total():
        lines += _table(("set aside as", "rows", "share"), _counts(outcome.set_aside, outcome.rows))
    return "\n".join(
        [
            *lines,
            *_bars(content["bins"]),
            *_group_lines(content["groups"]),
            *_pair_lines(content["pairs"]),
            "## Settings",
            "",
            *_table(("setting", "value"), [(name, _code(str(value))) for name, value in outcome.settings.items()]),
            "## How it went",
            "",
            *_table(("", ""), content["facts"]),
        ]
    )


def _counts(counts: Mapping[str, int], rows: int) -> list[tuple[str, str, str]]:
    return [(name, f"{count:,}", _rate(count, rows)) for name, count in counts.items()]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(heads), _row(["---"] * len(heads)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bars(bins: list[Bin]) -> list[str]:
    if not bins:
        return []
    head = ["## Similarity of the removed rows to their survivors", ""]
    if len(bins) == 1:
        return [*head, f"{bins[0].label} for all {bins[0].total:,}, apart from rows with equal words.", ""]
    most = max(one.total for one in bins)
    width = len(f"{most:,}")
    bars = [f"{one.label}  {one.total:>{width},}  {'█' * -(-one.total * BAR // max(most, 1))}" for one in bins]
    return [
        *head,
        "Rows with equal words are not drawn.",
        "",
        "```",
        *bars,
        "```",
        "",
    ]


def _group_lines(groups: list[Group]) -> list[str]:
    if not groups:
        return []
    lines = ["## Largest groups", ""]
    for group in groups:
        lines.append(f"- {group.size:,} removed for row {group.survivor}: {_code(group.text)}")
        lines += [f"    - {similarity:.4f}, row {row}: {_code(text)}" for row, similarity, text in group.examples]
    return [*lines, ""]


def _pair_lines(pairs: list[Pair]) -> list[str]:
    if not pairs:
        return []
    lines = ["## Examples", "", "Words that the other text does not have stand in [brackets] (lexical pairs).", ""]
    for pair in pairs:
        lines += [
            f"- {pair.method}, {pair.similarity:.4f}",
            f"    - row {pair.row} removed: {_code(_bracketed(pair.removed_text))}",
            f"    - row {pair.survivor} kept: {_code(_bracketed(pair.survivor_text))}",
        ]
    return [*lines, ""]


def _bracketed(segments: Segments) -> str:
    return "".join(f"[{text}]" if marked else text for text, marked in segments)


def _code(text: str) -> str:
    """A code span that its text can neither end nor carry over into another cell of a table."""
    return f"`{clean(text).replace('`', 'ˋ').replace('|', '¦') or ' '}`"
