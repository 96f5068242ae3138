"""The pairs of files: two that are aligned row by row, or one with a preferred and another answer in each row.

Files are JSON lines, JSON, Parquet, CSV or TSV (`files.rows`). A row holds `instruction` (or `prompt`) with an `input`
or none, and `output` (or `response`, `answer`); a preference has `output: [chosen, rejected]`, or `chosen` and
`rejected`. A column `language` or `lang` says the language, else it is told from the text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.files.rows import Row, open_rows
from persona_assets.text.language import told_language
from persona_assets.view.safe import one_line

INSTRUCTIONS, OUTPUTS = ("instruction", "prompt"), ("output", "response", "answer")
COLUMNS = {"row": pl.Int64, "language": pl.String, "instruction": pl.String, "one": pl.String, "other": pl.String}
_SHOWN = 60

Pair = tuple[int, str, str, str, str]


@dataclass(frozen=True)
class Places:
    """Where pairs stand: two aligned files, or one of preferences."""

    one: Path
    other: Path | None = None  # None: `one` holds both answers of each pair

    @property
    def sides(self) -> tuple[str, str]:
        """What the two answers are called."""
        if self.other is None:
            return "chosen", "rejected"
        if self.one.name == self.other.name:
            return str(self.one), str(self.other)
        return self.one.name, self.other.name


def read_pairs(places: Places, language: str | None = None) -> Iterator[pl.DataFrame]:
    """The pairs in batches of `COLUMNS`; `row` counts from 1, `language` is that of rows that do not say theirs.

    Raises:
        UsageError: no such file or format, a row without the keys, or the files are not aligned.
        PersonaAssetsError: a file is damaged, or a row of it.
    """
    for batch in _preferences(places.one) if places.other is None else _aligned(places.one, places.other):
        unknown = [place for place, pair in enumerate(batch) if not pair[1]]
        codes = [pair[1] for pair in batch]
        texts = [f"{batch[place][2]}\n{batch[place][3]}" for place in unknown]
        for place, code in zip(unknown, [language] * len(texts) if language else told_language(texts), strict=True):
            codes[place] = code
        frame = pl.DataFrame(batch, schema=COLUMNS, orient="row")
        yield frame.with_columns(language=pl.Series(codes, dtype=pl.String))


def _aligned(one: Path, other: Path) -> Iterator[list[Pair]]:
    with open_rows(one) as (_, rows), open_rows(other) as (_, others):
        for batch, beside in zip_longest(rows, others, fillvalue=list[Row]()):
            pairs = []
            for mine, theirs in zip_longest(batch, beside):
                if mine is None or theirs is None:
                    longer, shorter = (one, other) if theirs is None else (other, one)
                    raise UsageError(
                        f"{shorter} ends before row {(mine or theirs).number} of {longer}: "
                        "both files need one answer to each instruction, in the same order"
                    )
                values, asked = _values(one, mine), _instruction(one, mine)
                if asked != (also := _instruction(other, theirs)):
                    raise UsageError(
                        f"{other}: row {theirs.number} asks {_cut(also)!r} where {one} asks {_cut(asked)!r}: "
                        "bring the rows of both files into one order"
                    )
                told = _language(values)
                pairs.append((mine.number, told, asked, _output(one, mine), _output(other, theirs)))
            yield pairs


def _preferences(path: Path) -> Iterator[list[Pair]]:
    with open_rows(path) as (_, rows):
        for batch in rows:
            yield [
                (row.number, _language(_values(path, row)), _instruction(path, row), *_chosen(path, row))
                for row in batch
            ]


def _values(path: Path, row: Row) -> Mapping[str, Any]:
    if row.values is None:
        raise PersonaAssetsError(f"{path}: row {row.number}: {row.problem}: correct the row or take it out")
    return row.values


def _instruction(path: Path, row: Row) -> str:
    """The instruction with its input."""
    values = _values(path, row)
    name = _named(path, row, INSTRUCTIONS)
    parts = [values[name], values.get("input") or ""]
    for key, part in zip((name, "input"), parts, strict=True):
        if not isinstance(part, str):
            raise UsageError(f"{path}: row {row.number}: {key!r} is {_kind(part)}, not a text")
    if not parts[0].strip():
        raise UsageError(f"{path}: row {row.number}: {name!r} is empty: write the instruction or take the row out")
    return "\n".join(part for part in parts if part.strip())


def _output(path: Path, row: Row) -> str:
    name = _named(path, row, OUTPUTS)
    found = _values(path, row)[name]
    if found is not None and not isinstance(found, str):
        remedy = ": name a file of preferences with --dpo" if isinstance(found, list) else ""
        raise UsageError(f"{path}: row {row.number}: {name!r} is {_kind(found)}, not a text{remedy}")
    return found or ""


def _chosen(path: Path, row: Row) -> tuple[str, str]:
    values = _values(path, row)
    found = values.get("output")
    if found is None and ("chosen" in values or "rejected" in values):
        found = [values.get("chosen"), values.get("rejected")]
    if not (isinstance(found, list) and len(found) == 2 and all(isinstance(one, str) for one in found)):
        raise UsageError(
            f"{path}: row {row.number} has neither 'output' with two texts, [chosen, rejected], nor 'chosen' and "
            f"'rejected' ({_has(values)})"
        )
    return found[0], found[1]


def _named(path: Path, row: Row, names: tuple[str, ...]) -> str:
    values = _values(path, row)
    for name in names:
        if name in values:
            return name
    raise UsageError(f"{path}: row {row.number} has no {names[0]!r} ({_has(values)}): rename the column that holds it")


def _has(values: Mapping[str, Any]) -> str:
    return "it has: " + (", ".join(repr(one_line(str(name), _SHOWN)) for name in list(values)[:10]) or "nothing")


def _language(values: Mapping[str, Any]) -> str:
    own = values.get("language") or values.get("lang")
    return own if isinstance(own, str) and len(own) == 2 else ""


def _kind(value: object) -> str:
    return {list: "a list", dict: "an object", type(None): "null"}.get(type(value), f"a {type(value).__name__}")


def _cut(text: str) -> str:
    return one_line(text, _SHOWN)
