"""Runs the rules on the rows of anybody's file: what is refused, by which rule, and what it saw."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from persona_assets.contamination.benchmarks import Benchmarks, texts_of
from persona_assets.contamination.overlaps import CONTAMINATED
from persona_assets.crawl.quality import judge as judge_document
from persona_assets.errors import UsageError
from persona_assets.files.rows import Row, open_rows
from persona_assets.personas.rules import reject_reason
from persona_assets.prompts import Template
from persona_assets.rules.sample import Sample
from persona_assets.settings import Settings
from persona_assets.tasks.table import row_schema
from persona_assets.tasks.validity import Check, verdict
from persona_assets.text.charset import decode
from persona_assets.text.language import told_language

EXAMPLES = 3  # rows shown per reason
UNREADABLE, EMPTY = "unreadable", "empty"
PERSONA_COLUMNS = ("persona", "text", "input persona", "input_persona")
DOCUMENT_COLUMNS = ("text", "content", "raw_content")
_SHOWN = 160

Verdict = tuple[str, str] | None  # reason and detail, or None where the row is kept


class Judge(Protocol):
    """Judges the rows of a file."""

    def text(self, row: Mapping[str, Any]) -> str:
        """The text of a row by which its language is told, and which is shown; "" where it has none."""

    def judge(self, rows: Sequence[tuple[Mapping[str, Any], str]]) -> list[Verdict]:
        """The verdict on each of some rows, which come with their languages."""


@dataclass(frozen=True)
class SampleJudge:
    """The rules of a task. A row's columns are the task's fields; else Alpaca's, or `text` for the main one.

    The main field is the one that most rules look at: `problem` of a maths problem, though others stand before it.
    """

    template: Template
    checks: tuple[Check, ...]
    column: str | None = None
    benchmarks: Benchmarks | None = None

    @property
    def fields(self) -> list[str]:
        """The properties of a row."""
        return list(row_schema(self.template)["properties"])

    @cached_property
    def looked_at(self) -> list[str]:
        """The fields that rules look at, the main one first."""
        named = Counter(name for check in self.checks for name in _looks_at(check) if name in self.fields)
        return [name for name, _ in named.most_common()] or self.fields

    def content(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the rules look at."""
        found = {name: _plain(row[name]) for name in self.fields if name in row}
        main = self.looked_at[0]
        if self.column:
            found[main] = _plain(row.get(self.column))
        if main not in found and "text" in row:
            found[main] = _plain(row["text"])
        if main == "instruction" and isinstance(found.get(main), str) and _plain(row.get("input")):
            found[main] = f"{found[main]}\n{_plain(row['input'])}"
        return found

    def text(self, row: Mapping[str, Any]) -> str:
        """The texts of the fields that rules look at."""
        content = self.content(row)
        return "\n".join(content[name] for name in self.looked_at if isinstance(content.get(name), str))

    def judge(self, rows: Sequence[tuple[Mapping[str, Any], str]]) -> list[Verdict]:
        """The first rule that each breaks, or that it overlaps a benchmark.

        A rule about a field that the row lacks is passed over.
        """
        return [self._judge(row, language) for row, language in rows]

    def _judge(self, row: Mapping[str, Any], language: str) -> Verdict:
        content = self.content(row)
        persona = _plain(row.get("persona")) or ""
        checks = tuple(check for check in self.checks if _looks_at(check) <= content.keys())
        sample = Sample(content, persona if isinstance(persona, str) else "", language, about=row)
        found = verdict(checks, sample)
        if found:
            return found.reason, found.detail
        overlap = self.benchmarks.seen_in(texts_of(content)) if self.benchmarks else None
        return (CONTAMINATED, overlap.detail) if overlap else None


def _looks_at(check: Check) -> set[str]:
    named = check.args.get("field", ())
    return set(named) if isinstance(named, list | tuple) else {named}


@dataclass(frozen=True)
class PersonaJudge:
    """The rules of personas."""

    column: str | None = None

    def text(self, row: Mapping[str, Any]) -> str:
        """The persona."""
        return _first_text(row, (self.column,) if self.column else PERSONA_COLUMNS)

    def judge(self, rows: Sequence[tuple[Mapping[str, Any], str]]) -> list[Verdict]:
        """The first rule that each breaks."""
        frame = pl.DataFrame(
            {"text": [self.text(row) for row, _ in rows], "language": [language for _, language in rows]},
            schema={"text": pl.String, "language": pl.String},
        )
        found = reject_reason(frame).select("reason", "detail").iter_rows()
        return [None if reason is None else (reason, detail) for reason, detail in found]


@dataclass(frozen=True)
class DocumentJudge:
    """The quality rules of crawled documents."""

    settings: Settings
    column: str | None = None

    def text(self, row: Mapping[str, Any]) -> str:
        """The document."""
        return _first_text(row, (self.column,) if self.column else DOCUMENT_COLUMNS)

    def judge(self, rows: Sequence[tuple[Mapping[str, Any], str]]) -> list[Verdict]:
        """The first rule that each breaks."""
        return [judge_document(self.text(row), self.settings) for row, _ in rows]


def _first_text(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    found = next((_plain(row[name]) for name in columns if row.get(name) is not None), "")
    return found if isinstance(found, str) else ""


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of a file
    """A number as a text, as models write either, and bytes in the letters that they are."""
    if isinstance(value, bytes):
        decoded = decode(value)
        return "" if isinstance(decoded, tuple) else decoded.text
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@dataclass(frozen=True, slots=True)
class Judged:
    """A row and what became of it; `reason` "" where it is kept."""

    row: Row
    language: str
    text: str
    reason: str = ""
    detail: str = ""

    @property
    def keep(self) -> bool:
        """Whether no rule refuses it."""
        return not self.reason


@dataclass
class Report:
    """What the rules made of a file: `rows` = kept + rejected."""

    file: str
    rows: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Judged]] = field(default_factory=dict)

    def add(self, batch: Sequence[Judged]) -> None:
        """Count some rows."""
        self.rows += len(batch)
        for one in batch:
            self.languages[one.language] += 1
            if one.keep:
                self.kept += 1
                continue
            self.rejected[one.reason] += 1
            examples = self.examples.setdefault(one.reason, [])
            if len(examples) < EXAMPLES:
                examples.append(one)

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {"rows": self.rows, "kept": self.kept, "rejected": dict(self.rejected.most_common())}


def judge_rows(path: Path, judge: Judge, language: str | None = None) -> Iterator[list[Judged]]:
    """The rows of a file, each with its verdict, in batches; `language` (ISO 639-1) is that of rows without a column.

    A row that cannot be read is `unreadable`, one without a text `empty`.

    Raises:
        UsageError: no such file, no known format, or no row has a column that the rules look at.
        PersonaAssetsError: the file is damaged.
    """
    with open_rows(path) as (_, batches):
        seen: set[str] = set()
        found = False
        for batch in batches:
            texts = [judge.text(row.values) if row.values is not None else "" for row in batch]
            seen.update(name for row in batch for name in row.values or ())
            found = found or any(texts)
            yield _judged(batch, texts, judge, language)
    if seen and not found:
        raise UsageError(f"{path}: no column that the rules look at holds a text; {_has(seen)}")


def _has(names: set[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in sorted(names)[:30])
    return f"name one with --column (it has: {shown})"


def _judged(batch: Sequence[Row], texts: Sequence[str], judge: Judge, language: str | None) -> list[Judged]:
    told = [
        _language(row.values, language) if row.values and text.strip() else ""
        for row, text in zip(batch, texts, strict=True)
    ]
    unknown = [place for place, text in enumerate(texts) if text.strip() and not told[place]]
    for place, code in zip(unknown, told_language([texts[place] for place in unknown]), strict=True):
        told[place] = code
    there = [place for place, text in enumerate(texts) if text.strip()]
    verdicts = dict(zip(there, judge.judge([(batch[place].values or {}, told[place]) for place in there]), strict=True))
    judged = []
    for place, (row, text) in enumerate(zip(batch, texts, strict=True)):
        if row.values is None:
            reason, detail = UNREADABLE, row.problem
        elif place not in verdicts:
            reason, detail = EMPTY, "no text in the columns that the rules look at"
        else:
            reason, detail = verdicts[place] or ("", "")
        judged.append(Judged(row, told[place], " ".join(text[: 2 * _SHOWN].split())[:_SHOWN], reason, detail))
    return judged


def _language(values: Mapping[str, Any], given: str | None) -> str:
    own = values.get("language") or values.get("lang")
    return own if isinstance(own, str) and len(own) == 2 else given or ""
