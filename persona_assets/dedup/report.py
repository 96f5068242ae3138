"""A report on a deduplicated file as a page, with example texts read from the file again."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from persona_assets.dedup.outcome import Outcome
from persona_assets.dedup.strands import encoders_told
from persona_assets.dedup.survivors import METHODS
from persona_assets.text.tokens import token_lists
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent
from persona_assets.view.safe import one_line

GROUPS, GROUP_EXAMPLES, PAIRS = 10, 3, 20
SHOWN = 300  # characters of a text
LEAD = 80  # characters before the first difference, where that lies beyond what is shown
KINDS = {
    "exact": view.Kind("exact", "grey", "░"),
    "lexical": view.Kind("lexical"),
    "semantic": view.Kind("semantic", "green", "▓"),
}
# Letters that stand next to each other without a space between words, and all else that is not space.
_UNSPACED = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_CHUNK = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+|\s+")

TextsAt = Callable[[np.ndarray[Any, np.dtype[np.int64]]], pl.Series]
Told = Callable[[int], str]  # what a row is called


def report_page(
    outcome: Outcome, texts_at: TextsAt, verdicts: pa.Table, told: Told = lambda row: f"row {row}"
) -> view.Page:
    """The report of a file; `texts_at` gives the texts of rows, `told` what these are called."""
    removed = _removed(verdicts)
    said = "exact: the same set of words. lexical: sets of words whose Jaccard similarity reaches the threshold."
    said += " semantic: embeddings whose cosine does." if outcome.settings["semantic"] else ""
    marks = view.Lines(["Words that the other text does not have are marked, or in [brackets] (lexical pairs)."])
    pairs = _pairs(removed, texts_at, told)
    settings = [(name.replace("_", " "), view.Code(str(value))) for name, value in outcome.settings.items()]
    sections: dict[str, list[view.Block]] = {
        "Similarity of the removed rows to their survivors": _histogram(outcome),
        "Largest groups": [*_groups(removed, texts_at, told)],
        "Examples": [marks, *pairs] if pairs else [],
        "Settings and figures": [view.facts(settings), view.facts(facts(outcome))],
    }
    found = [view.Section(title, blocks) for title, blocks in sections.items() if blocks]
    about = ". Of near-duplicates the first row of the file is kept; rows are numbered from 0."
    return view.Page(
        ("Near-duplicates in ", view.Code(outcome.file)),
        ("Column ", view.Code(outcome.column), about),
        [*summary(outcome), view.Lines([said]), *found],
    )


def summary(outcome: Outcome) -> list[view.Block]:
    """How many rows were kept, removed and set aside, and why."""
    kept = {"kept": outcome.kept, "removed": outcome.removed.total(), "set aside": outcome.set_aside.total()}
    figures = [(name, f"{count:,}", percent(count, outcome.rows)) for name, count in kept.items()]
    methods = [method for method in METHODS if method != "semantic" or outcome.settings["semantic"]]
    tables = [_counts("removed by", ((KINDS[method], outcome.removed[method]) for method in methods), outcome.rows)]
    if outcome.against:
        heads = [*view.left("compared with"), *view.right("rows", "removed for it")]
        cells = [(view.Code(path), f"{of['rows']:,}", f"{of['removed']:,}") for path, of in outcome.against.items()]
        tables.append(view.Table(heads, cells))
    if outcome.set_aside:
        aside = ((reason.replace("_", " "), count) for reason, count in outcome.set_aside.most_common())
        tables.append(_counts("set aside as", aside, outcome.rows))
    return [view.Figures([("rows", f"{outcome.rows:,}", ""), *figures]), view.Section("", tables)]


def _counts(title: str, counts: Iterable[tuple[view.Line, int]], rows: int) -> view.Table:
    cells = [(name, f"{count:,}", percent(count, rows)) for name, count in counts]
    return view.Table([*view.left(title), *view.right("rows", "share")], cells)


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


def _groups(removed: pl.LazyFrame, texts_at: TextsAt, told: Told) -> list[view.Quotes]:
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
    groups = []
    for survivor, size in largest.iter_rows():
        text = text_of[survivor]
        shown = examples.filter(pl.col("survivor") == survivor).select("row", "similarity").rows()
        head = f"{size:,} removed for {told(survivor)}" + (", the least alike of them:" if size > len(shown) else "")
        gone = [view.Quote(f"{similarity:.4f}, row {row}", _beginning(text_of[row], text)) for row, similarity in shown]
        groups.append(view.Quotes(head, [view.Quote("kept", _beginning(text), kept=True), *gone]))
    return groups


def _pairs(removed: pl.LazyFrame, texts_at: TextsAt, told: Told) -> list[view.Quotes]:
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
    return [_pair(values, text_of, told) for values in rows.iter_rows()]


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """How many of each kind are shown: as equal as their numbers allow, `total` together."""
    shares = [0] * len(sizes)
    for _ in range(min(total, sum(sizes))):
        open_ = [place for place, size in enumerate(sizes) if shares[place] < size]
        shares[min(open_, key=lambda place: (shares[place], -place))] += 1
    return shares


def _pair(removed_row: tuple[int, int, float, int], text_of: dict[int, str], told: Told) -> view.Quotes:
    row, survivor, similarity, method = removed_row
    texts = one_line(text_of[row]), one_line(text_of[survivor])
    name = METHODS[method]
    removed: view.Pieces = [(texts[0], False)]
    stays: view.Pieces = [(texts[1], False)]
    if name == "lexical":
        removed, stays = differing(*texts), differing(*reversed(texts))
        at = min(_first_mark(removed), _first_mark(stays))
    else:
        at = _first_difference(*texts)
    gone, kept = (
        view.Quote(f"row {row} removed", cut(removed, at)),
        view.Quote(f"{told(survivor)} kept", cut(stays, at), kept=True),
    )
    return view.Quotes((KINDS[name], f", {similarity:.4f}"), [gone, kept])


def _beginning(text: str, other: str | None = None) -> view.Pieces:
    """`text`, cut, from where it differs from the other one if that is far on."""
    line = one_line(text)
    at = 0 if other is None else _first_difference(line, one_line(other))
    return cut([(line, False)], at)


def _first_difference(text: str, other: str) -> int:
    """Where two texts part; 0 where they are equal."""
    if text == other:
        return 0
    unlike = (at for at, (one, two) in enumerate(zip(text, other, strict=False)) if one != two)
    return next(unlike, min(len(text), len(other)))


def _first_mark(pieces: view.Pieces) -> int:
    """Where the first marked piece begins; the length of the text where none is marked."""
    at = 0
    for text, marked in pieces:
        if marked:
            break
        at += len(text)
    return at


def _text_of(texts_at: TextsAt, *rows: pl.Series) -> dict[int, str]:
    wanted = np.unique(np.concatenate([series.to_numpy() for series in rows]))
    return dict(zip(wanted.tolist(), texts_at(wanted).to_list(), strict=True))


def cut(pieces: view.Pieces, at: int = 0) -> view.Pieces:
    """SHOWN characters of a text in pieces, with an ellipsis where there were more; one piece at least.

    They are the first ones, or those around `at` where that would hardly be seen.
    """
    start = min(at - LEAD, sum(len(text) for text, _ in pieces) - SHOWN + 1)
    room = SHOWN
    kept: list[tuple[str, bool]] = []
    if at > SHOWN - LEAD and start > 1:
        kept.append(("…", False))
        room -= 1
        pieces = _dropped(pieces, start)
    for text, marked in pieces:
        if len(text) > room:
            kept.append((text[: room - 1] + "…" if room else "…", marked and room > 1))
            break
        kept.append((text, marked))
        room -= len(text)
    return kept or [("", False)]


def _dropped(pieces: view.Pieces, count: int) -> view.Pieces:
    """The pieces without their first `count` characters."""
    rest = []
    for text, marked in pieces:
        if len(text) > count:
            rest.append((text[count:], marked))
        count = max(count - len(text), 0)
    return rest


def differing(text: str, other: str) -> view.Pieces:
    """`text` in pieces, those marked that hold a token which `other` does not have."""
    chunks = _CHUNK.findall(text)
    theirs = set(token_lists(pl.Series([other]))[0].to_list())
    marks = [not theirs.issuperset(tokens) for tokens in token_lists(pl.Series(chunks, dtype=pl.String)).to_list()]
    runs = groupby(zip(chunks, marks, strict=True), key=lambda piece: piece[1])
    return [("".join(chunk for chunk, _ in run), marked) for marked, run in runs]


def _histogram(outcome: Outcome) -> list[view.Block]:
    """The removed rows by similarity and method, from the first to the last bin that has rows.

    Equal word sets, all at 1, are left to the table of methods, or they would dwarf the rest.
    """
    edges = outcome.similarity["bins"]
    drawn = [method for method in METHODS if method != "exact" and outcome.removed[method]]
    if edges[0] == edges[-1] or not drawn:
        return []
    digits = 2 if all(round(edge, 2) == edge for edge in edges) else 3
    names = [f"{low:.{digits}f} to {high:.{digits}f}" for low, high in pairwise(edges)]
    counts = list(zip(*(outcome.similarity[method] for method in drawn), strict=True))
    filled = [place for place, of_bin in enumerate(counts) if sum(of_bin)]
    if len(filled) == 1:
        [only] = filled
        return [view.Lines([f"{names[only]} for all {sum(counts[only]):,}, apart from rows with equal words."])]
    kinds, most = [KINDS[method] for method in drawn], max(map(sum, counts))
    rows = [
        (names[place], f"{sum(counts[place]):,}", view.bar(most, *zip(kinds, counts[place], strict=True)))
        for place in range(filled[0], filled[-1] + 1)
    ]
    return [view.Lines(["Rows with equal words are not drawn."]), view.Legend(kinds), view.Table(view.BARS, rows)]


def facts(outcome: Outcome) -> list[tuple[view.Line, view.Line]]:
    """What the comparison took and how complete it is, in words."""
    found: list[tuple[view.Line, view.Line]] = [
        (f"pairs within the threshold, {stage}", f"{count:,}") for stage, count in sorted(outcome.near_pairs.items())
    ]
    found.append(("pairs compared by their words", f"{outcome.candidates:,}"))
    if outcome.skipped:
        found.append(("pairs of near-copies that nothing depended on, skipped", f"{outcome.skipped:,}"))
    found += [(f"estimated recall, {stage}", f"{share:.2%}") for stage, share in outcome.estimated_recall.items()]
    if outcome.not_compared is not None:
        found += encoders_told(outcome.encoders)
        remedy = " (PERSONA_ENCODER names another)" if outcome.not_compared else ""
        found.append((f"kept rows in scripts that no encoder knows{remedy}", f"{outcome.not_compared:,}"))
    return [
        *found,
        ("time", f"{outcome.seconds:,.1f} s"),
        ("peak memory", f"{outcome.peak_memory_mb:,} MiB"),
        ("parts", f"{outcome.parts:,}"),
    ]
