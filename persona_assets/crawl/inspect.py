"""What the readers make of a file, without a lake: documents, languages, and rejects by reason with examples."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona_assets.crawl.documents import Batch, read_documents
from persona_assets.crawl.items import CrawlFile
from persona_assets.crawl.readers import reading
from persona_assets.settings import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType

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
    characters: int = 0
    skipped: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def records(self) -> int:
        """Records of every fate."""
        return self.documents + self.rejects.total() + self.skipped


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
            "skipped": sum(file.skipped for file in self.files),
            "seconds": sum(file.seconds for file in self.files),
        }


def _counts(file: FileReport) -> dict[str, dict[str, int]]:
    return {"languages": dict(file.languages.most_common()), "rejects": dict(file.rejects.most_common())}


def inspect_files(paths: Sequence[Path], settings: Settings, progress: Progress | None = None) -> InspectReport:
    """Read every file by itself; memory does not grow with a file but for 200 bytes a document.

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
    for batch in read_documents([file], "inspect", settings):
        _add(report, batch)
        done += batch.bytes_read
        if progress:
            progress(path, done, size)
    report.seconds = time.monotonic() - started
    return report


def _add(report: FileReport, batch: Batch) -> None:
    report.documents += batch.documents.height
    report.characters += int(batch.documents["characters"].sum())
    report.skipped += batch.skipped
    report.languages.update(batch.documents["language"].to_list())
    report.rejects.update(batch.rejects["reason"].to_list())
    for row in batch.rejects.iter_rows(named=True):
        examples = report.examples.setdefault(row["reason"], [])
        if len(examples) < EXAMPLES:
            examples.append({"file": row["file"], "offset": row["record_offset"], "detail": row["detail"]})
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


def render(report: InspectReport) -> "RenderableType":
    """The report for a terminal. Text of the files is shown as text, never as markup or terminal control."""
    from rich.console import Group

    return Group(*(part for file in report.files for part in _render_file(file)))


def _render_file(report: FileReport) -> "list[RenderableType]":
    from rich.table import Table
    from rich.text import Text

    kind = f"{report.format}, {report.compression}" if report.compression else report.format
    lines = Text()
    lines.append(_plain(report.file).plain, style="bold")
    lines.append(f"  {kind}\n")
    languages = ", ".join(f"{code} {count:,}" for code, count in report.languages.most_common(8))
    lines.append(
        f"{report.documents:,} documents, {report.characters:,} characters"
        f"{f' ({languages})' if languages else ''}; {report.rejects.total():,} rejects; "
        f"{report.skipped:,} other records; {report.seconds:.1f} s\n"
    )
    parts: list[RenderableType] = [lines]
    if report.samples:
        table = Table("language", "characters", "url", "begins", title="Documents", title_justify="left")
        for sample in report.samples:
            table.add_row(
                sample["language"], f"{sample['characters']:,}", _plain(sample["url"][:60]), _plain(sample["text"])
            )
        parts.append(table)
    if report.rejects:
        table = Table("reason", "records", "offset", "detail", title="Rejects", title_justify="left")
        for reason, count in report.rejects.most_common():
            for number, example in enumerate(report.examples[reason]):
                offset = "" if example["offset"] is None else f"{example['offset']:,}"
                shown = (reason, f"{count:,}") if number == 0 else ("", "")
                table.add_row(*shown, offset, _plain(example["detail"]))
        parts.append(table)
    return parts


def _plain(value: str) -> Any:  # noqa: ANN401 - rich is imported late
    """Text that a terminal shows as it is: no markup, no escape sequences."""
    from rich.text import Text

    return Text("".join(character if character.isprintable() else "\ufffd" for character in value))
