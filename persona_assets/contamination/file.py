"""Rows of a file that share a long piece with a benchmark: `persona-assets decontaminate FILE --against BENCHMARK`.

One pass over the texts looks for pieces; the hits, which are few, wait in temporary files. Then it is known which
pieces are frequent in the file itself: these are anybody's words and do not count. What is left of the hits decides,
and a second pass writes the rows that are kept.
"""

import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from persona_assets.contamination.index import BenchmarkIndex
from persona_assets.contamination.items import Item, files_in, read_items
from persona_assets.contamination.overlaps import Overlap, overlaps
from persona_assets.errors import PersonaAssetsError
from persona_assets.files.places import beside, blaming, check_places
from persona_assets.files.text_column import REASONS, Source, open_source
from persona_assets.progress import Stages

OUT_KINDS, REPORT_KINDS = (".parquet", ".jsonl"), (".html", ".md", ".jsonl")
# A piece that stands in more places of the file than both, between other words each time, is frequent: anybody's words.
# Copies of an item stand between the same words, so many of them make nothing frequent.
MOST_PLACES, MOST_PLACES_SHARE = 100, 0.001
ALWAYS_FREQUENT = 10_000  # places, in any file: it bounds what is remembered of a piece
AT_ONCE = 8192  # rows: where all of them overlap, each has dozens of hits
EXAMPLES = 20  # overlaps in a report that is a page


@dataclass(frozen=True)
class Job:
    """What to do with a file."""

    path: Path
    against: tuple[Path, ...]  # benchmark files, and folders of such files
    column: str | None = None  # None: see `files.text_column`
    key: str | None = None  # of the benchmarks' questions; None: see `items.QUESTIONS`
    out: Path | None = None
    report: Path | None = None
    most_places: int = MOST_PLACES
    most_places_share: float = MOST_PLACES_SHARE  # of the rows


@dataclass
class Outcome:
    """What came of a file: `rows` = kept + contaminated + set aside."""

    file: str
    column: str
    benchmarks: dict[str, dict[str, int]]  # by file: items, those with an overlap, and rows that it is named for
    undecided: int  # items too short to decide
    form_pieces: int  # pieces of benchmarks that stand in very many items
    rows: int = 0
    kept: int = 0
    contaminated: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)  # by reason: rows without a text
    frequent_pieces: int = 0  # pieces that stand in very many places of the file
    only_frequent: int = 0  # rows that are kept since they share no others
    examples: list[Overlap] = field(default_factory=list)
    seconds: float = 0.0
    peak_memory_mb: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON values; every reason is there, if with 0."""
        examples = [as_row(one) for one in self.examples]
        return {**vars(self), "set_aside": {one: self.set_aside[one] for one in REASONS}, "examples": examples}


def as_row(one: Overlap) -> dict[str, Any]:
    """An overlap as JSON values; rows count from 0, items from 1."""
    return {
        "row": one.row,
        "file": one.item.file,
        "item": one.item.number,
        "id": one.item.name,
        "part": one.part,
        "words": one.words,
        "shared": one.shared,
        "items": one.items,
    }


def decontaminate_file(job: Job, progress: Stages | None = None) -> Outcome:
    """Hold the rows of a file to benchmarks, and write what the job asks for: whole, or not at all.

    Raises:
        UsageError: a file, column or place to write to that is not as it has to be.
        PersonaAssetsError: a file is damaged or changed while it was read, or there is no space to write.
    """
    started = time.monotonic()
    for path in (job.path, *_files(job.against)):
        check_places(path, ("--out", job.out, OUT_KINDS), ("--report", job.report, REPORT_KINDS))
    tell = progress or (lambda stage, done, total: None)
    items = read_benchmarks(job.against, job.key)
    index = BenchmarkIndex(items)
    with (
        blaming(f"--out {job.out}" if job.out else f"temporary folder {tempfile.gettempdir()} (TMPDIR)", job.path),
        tempfile.TemporaryDirectory(prefix=".decontaminate-", dir=job.out.parent if job.out else None) as folder,
        ExitStack() as stack,
    ):
        scratch = Path(folder)
        source = open_source(job.path, job.column, scratch, job.out, again=job.report is not None)
        held = _Holding(job, source, index, scratch, tell)
        outcome = held.run()
        written = scratch / f"out{job.out.suffix}" if job.out else None
        if written:
            _write(source, held.keep, written, tell)
        outcome.seconds = round(time.monotonic() - started, 2)
        outcome.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        if job.report:
            with blaming(f"--report {job.report}", job.path):
                page = stack.enter_context(beside(job.report))
                _report(job.report, page, outcome, source, held.found)
                page.replace(job.report)
        if job.out and written:
            written.replace(job.out)
    return outcome


def read_benchmarks(against: Sequence[Path], key: str | None = None) -> list[Item]:
    """The items of files, and of the benchmark files of folders; a file is called by its name, or what tells it apart.

    Raises:
        UsageError: there is no such file, or one of them cannot be read.
    """
    found = _files(against)
    names = Counter(found.values())
    return [
        item
        for path, name in found.items()
        for item in read_items(path, name if names[name] == 1 else path.as_posix(), key)
    ]


def _files(against: Sequence[Path]) -> dict[Path, str]:
    """The files that are named, and the benchmark files of folders, each once, with its name."""
    found: dict[Path, str] = {}
    for path in against:
        found |= {one: name for name, one in files_in(path).items()} if path.is_dir() else {path: path.name}
    return found


class _Holding:
    """The rows of a file held to an index."""

    def __init__(self, job: Job, source: Source, index: BenchmarkIndex, scratch: Path, tell: Stages) -> None:
        self.job, self.source, self.index, self.scratch, self.tell = job, source, index, scratch, tell
        self.found = scratch / "found.jsonl"  # every overlap, a line each
        counts = Counter(item.file for item in index.items)
        benchmarks = {name: {"items": count, "items_found": 0, "rows": 0} for name, count in counts.items()}
        self.outcome = Outcome(str(job.path), source.column, benchmarks, index.undecided, index.form_pieces)
        self.keep: NDArray[np.bool_] = np.zeros(0, bool)
        self.places = pl.DataFrame(schema={"gram": pl.UInt64, "around": pl.UInt64})
        self.frequent = pl.Series("gram", [], pl.UInt64)

    def run(self) -> Outcome:
        """Decide every row; `keep` says which stay."""
        outcome = self.outcome
        spooled = self._look_for_pieces()
        frequent = self._frequent()
        outcome.frequent_pieces = len(frequent)
        seen: set[int] = set()
        with self.found.open("wb") as file:
            for path in spooled:
                hits = pl.read_ipc(path)
                rows = hits["row"].n_unique()
                counting = hits.filter(~pl.col("gram").is_in(frequent.implode())) if len(frequent) else hits
                for one in self._named(counting, seen):
                    file.write(orjson.dumps(as_row(one)) + b"\n")
                outcome.only_frequent += rows - counting["row"].n_unique()
                path.unlink()
        for number in seen:
            outcome.benchmarks[self.index.items[number].file]["items_found"] += 1
        outcome.contaminated = sum(one["rows"] for one in outcome.benchmarks.values())
        outcome.kept = outcome.rows - outcome.contaminated - outcome.set_aside.total()
        return outcome

    def _look_for_pieces(self) -> list[Path]:
        """Read all texts; the hits of each batch that has some go to a file."""
        outcome, spooled, masks = self.outcome, list[Path](), list[NDArray[np.bool_]]()
        self.tell("reading", 0, self.source.total())
        for batch in (part for whole in self.source.texts() for part in whole.iter_slices(AT_ONCE)):
            hits = self.index.hits(batch["text"])
            if hits.height:
                hits = hits.with_columns(row=pl.col("row") + outcome.rows)
                spooled.append(self.scratch / f"hits-{len(spooled)}.arrow")
                hits.write_ipc(spooled[-1], compression="lz4")
                self._count(hits)
            for place, count in batch["reason"].drop_nulls().value_counts().iter_rows():
                outcome.set_aside[REASONS[place]] += count
            masks.append(batch["reason"].is_null().to_numpy())
            outcome.rows += batch.height
            self.tell("reading", outcome.rows, self.source.total())
        self.keep = np.concatenate(masks) if masks else self.keep
        return spooled

    def _count(self, hits: pl.DataFrame) -> None:
        """Remember between which words each piece stands, until there are so many that it is frequent in any case."""
        fresh = hits.select("gram", "around").filter(~pl.col("gram").is_in(self.frequent.implode()))
        self.places = pl.concat([self.places, fresh]).unique()
        often = _in_more(self.places, ALWAYS_FREQUENT)
        if len(often):
            self.frequent = pl.concat([self.frequent, often])
            self.places = self.places.filter(~pl.col("gram").is_in(often.implode()))

    def _frequent(self) -> pl.Series:
        """The pieces that stand in very many places."""
        most = max(self.job.most_places, self.job.most_places_share * self.outcome.rows)
        return pl.concat([self.frequent, _in_more(self.places, most)])

    def _named(self, hits: pl.DataFrame, seen: set[int]) -> Iterator[Overlap]:
        """The overlaps of some hits; their rows go, and their items are `seen`."""
        seen.update(self.index.owners[hits["source"].unique().to_numpy()].tolist())
        for one in overlaps(self.index, hits):
            self.keep[one.row] = False
            self.outcome.benchmarks[one.item.file]["rows"] += 1
            if len(self.outcome.examples) < EXAMPLES:
                self.outcome.examples.append(one)
            yield one


def _in_more(places: pl.DataFrame, most: float) -> pl.Series:
    """The pieces that stand in more than so many places."""
    return places.group_by("gram").agg(count=pl.len()).filter(pl.col("count") > most)["gram"]


# Writing


def _write(source: Source, keep: NDArray[np.bool_], place: Path, tell: Stages) -> None:
    """The rows that are kept, as they are.

    Raises:
        PersonaAssetsError: there are not as many rows as were read before.
    """
    tell("writing", 0, len(keep))
    done = 0
    for done in (_write_parquet if place.suffix == ".parquet" else _write_lines)(source, keep, place):
        tell("writing", min(done, len(keep)), len(keep))
    if done != len(keep):
        raise PersonaAssetsError(f"{source.path} changed while it was read: run the command again")


def _write_parquet(source: Source, keep: NDArray[np.bool_], place: Path) -> Iterator[int]:
    done = 0
    with pq.ParquetWriter(place, source.schema(), compression="zstd") as writer:
        for batch in source.batches():
            mask = keep[done : done + batch.num_rows]
            done += batch.num_rows
            if len(mask) == batch.num_rows:
                writer.write_batch(batch.filter(pa.array(mask)))
            yield done


def _write_lines(source: Source, keep: NDArray[np.bool_], place: Path) -> Iterator[int]:
    done = 0
    with place.open("wb") as file:
        for lines in source.lines():
            mask = keep[done : done + len(lines)].tolist()
            done += len(lines)
            file.writelines(line + b"\n" for line, kept in zip(lines, mask, strict=False) if kept)
            yield done


def _report(place: Path, page: Path, outcome: Outcome, source: Source, found: Path) -> None:
    """A page with examples, or every overlap as a line of JSON."""
    if place.suffix == ".jsonl":
        shutil.copyfile(found, page)
        return
    from persona_assets.contamination.report import report_page
    from persona_assets.view import html, markdown

    texts = source.texts_at(np.array([one.row for one in outcome.examples], np.int64)).to_list()
    renderer = html if place.suffix == ".html" else markdown
    page.write_text(renderer.render_page(report_page(outcome, texts)), encoding="utf-8")
