"""What the readers make of a file, without a lake: documents, languages, and rejects by reason with examples."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.crawl.digests import NEAR, Sieve
from persona_assets.crawl.documents import Batch, read_documents
from persona_assets.crawl.items import CrawlFile
from persona_assets.crawl.readers import reading
from persona_assets.settings import Settings
from persona_assets.view import blocks as view

EXAMPLES = 3  # rejects shown per reason
SAMPLES = 3  # documents shown per file
_SAMPLE_CHARACTERS = 80

Progress = Callable[[Path, int, int], None]  # file, bytes of it read so far, its size


@dataclass
class FileReport:
    """What one file holds; `records` = documents + rejects + skipped."""

    file: str
    format: str
    compression: str
    documents: int = 0
    personas: int = 0  # of the documents
    near_duplicates: int = 0  # of the documents: those that one before it stands for in a dump of this file alone
    characters: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    lines_removed: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def records(self) -> int:
        """Records of every fate."""
        return self.documents + self.rejects.total() + self.skipped.total()


@dataclass
class InspectReport:
    """The files in the order they were given."""

    files: list[FileReport] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values, with totals."""
        return {
            "files": [{**asdict(file), "records": file.records, **_counts(file)} for file in self.files],
            "documents": sum(file.documents for file in self.files),
            "characters": sum(file.characters for file in self.files),
            "rejects": dict(sum((file.rejects for file in self.files), Counter[str]()).most_common()),
            "skipped": dict(sum((file.skipped for file in self.files), Counter[str]()).most_common()),
            "seconds": sum(file.seconds for file in self.files),
        }


def _counts(file: FileReport) -> dict[str, dict[str, int]]:
    return {
        "languages": dict(file.languages.most_common()),
        "rejects": dict(file.rejects.most_common()),
        "skipped": dict(file.skipped.most_common()),
        "lines_removed": dict(file.lines_removed.most_common()),
    }


def inspect_files(paths: Sequence[Path], settings: Settings, progress: Progress | None = None) -> InspectReport:
    """Read every file by itself; memory does not grow with a file but for half a kilobyte a document.

    A file that is not there or cannot be read is a reject in its report.

    Raises:
        UsageError: the column map of the settings is wrong.
    """
    return InspectReport([_inspect(path, settings, progress) for path in paths])


def _inspect(path: Path, settings: Settings, progress: Progress | None) -> FileReport:
    started = time.monotonic()
    file = CrawlFile(path, str(path))
    with reading(file, settings) as source:
        report = FileReport(str(path), source.layout, source.compression)
    size = path.stat().st_size if path.is_file() else 0
    done = 0
    with Sieve("inspect", settings) as sieve:
        for batch in read_documents([file], "inspect", settings):
            _add(report, batch)
            _, rejects, _ = sieve.sift(batch)
            near = rejects.filter(pl.col("reason") == NEAR, pl.col("row_id").is_in(batch.documents["document_id"]))
            report.near_duplicates += near.height
            _add_examples(report, near)
            done += batch.bytes_read
            if progress:
                progress(path, done, size)
    report.seconds = time.monotonic() - started
    return report


def _add(report: FileReport, batch: Batch) -> None:
    report.documents += batch.documents.height
    report.personas += int((batch.documents["kind"] == "persona").sum())
    report.characters += int(batch.documents["characters"].sum())
    report.skipped.update(batch.skipped)
    report.lines_removed.update(batch.lines_removed)
    report.languages.update(batch.documents["language"].to_list())
    report.rejects.update(batch.rejects["reason"].to_list())
    _add_examples(report, batch.rejects)
    for row in batch.documents.head(SAMPLES - len(report.samples)).iter_rows(named=True):
        report.samples.append(
            {
                "url": row["url"],
                "language": row["language"],
                "offset": row["record_offset"],
                "characters": row["characters"],
                "text": " ".join(row["text"][: 4 * _SAMPLE_CHARACTERS].split())[:_SAMPLE_CHARACTERS],
            }
        )


def _add_examples(report: FileReport, rejects: pl.DataFrame) -> None:
    for row in rejects.iter_rows(named=True):
        examples = report.examples.setdefault(row["reason"], [])
        if len(examples) < EXAMPLES:
            examples.append({"file": row["file"], "offset": row["record_offset"], "detail": row["detail"]})


def blocks(report: InspectReport) -> list[view.Block]:
    """The report as a section for each file."""
    return [_section(file) for file in report.files]


def _section(report: FileReport) -> view.Section:
    read_as = f"{report.format}, {report.compression}" if report.compression else report.format
    languages = ", ".join(f"{code} {count:,}" for code, count in report.languages.most_common(8))
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in report.skipped.most_common() if kind)
    counts = (
        f"{report.documents:,} documents{f', {report.personas:,} of them personas' if report.personas else ''}"
        f"{f', {report.near_duplicates:,} of them near-duplicates' if report.near_duplicates else ''}"
        f", {report.characters:,} characters"
        f"{f' ({languages})' if languages else ''}; {report.rejects.total():,} rejects; "
        f"{report.skipped.total():,} other records{f' ({kinds})' if kinds else ''}; {report.seconds:.1f} s"
    )
    removed = ", ".join(f"{reason} {count:,}" for reason, count in report.lines_removed.most_common())
    found: list[view.Block] = [
        view.Lines([counts, f"{report.lines_removed.total():,} lines removed ({removed})"] if removed else [counts])
    ]
    if report.samples:
        documents = [
            (one["language"], f"{one['characters']:,}", view.Code(one["url"][:60]), view.Code(one["text"]))
            for one in report.samples
        ]
        heads = [*view.left("language"), *view.right("characters"), *view.left("url", "begins")]
        found.append(view.Section("Documents", [view.Table(heads, documents)]))
    counted = report.rejects.most_common()
    if report.near_duplicates:
        counted.append((NEAR, report.near_duplicates))
    if counted:
        rejects = [
            (
                *((reason, f"{count:,}") if number == 0 else ("", "")),
                "" if example["offset"] is None else f"{example['offset']:,}",
                view.Code(example["detail"]),
            )
            for reason, count in counted
            for number, example in enumerate(report.examples[reason])
        ]
        heads = [*view.left("reason"), *view.right("records", "offset"), *view.left("detail")]
        found.append(
            view.Section(
                "Rejects and near-duplicates" if report.near_duplicates else "Rejects", [view.Table(heads, rejects)]
            )
        )
    return view.Section((view.Code(report.file), f"  {read_as}"), found)
