"""Near-duplicates of a text column of any Parquet or JSON lines file: `persona-assets dedup FILE`.

The canonical order is that of the rows: of near-duplicates the first row of the file is kept. The file is decided part
by part (`Deduper`); the verdicts, some 18 bytes a row, lie in a temporary file until they are joined with the rows.
"""

import errno
import os
import re
import resource
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.dedup.deduper import Decision, Deduper, part_rows
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.sources import REASONS, Source, Texts, open_source
from persona_assets.dedup.strands import Semantic, make_strands
from persona_assets.dedup.survivors import METHODS
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.progress import Stages

OUT_KINDS, REPORT_KINDS = (".parquet", ".jsonl"), (".html", ".md")
ID_DIGITS = 12  # of a row's number where it stands for the row's id, so that ids sort as numbers do
TEXT_BYTES = 160  # of a text that `part_rows` reckons with; a part of longer texts has fewer rows
GROUP_ROWS, GROUP_BYTES = 131_072, 64 << 20  # of a row group that is written
BINS = 20  # of the similarity histogram
VERDICTS = pa.schema(
    {
        "survivor": pa.int64(),  # the row itself where kept, null where set aside
        "similarity": pa.float64(),
        "method": pa.uint8(),  # place in METHODS
        "reason": pa.uint8(),  # place in REASONS
        "semantic_compared": pa.bool_(),  # null where set aside, or where only words are compared
    }
)
# Errors of the operating system that a place to write to is to blame for.
WRITE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Job:
    """What to do with a file."""

    path: Path
    scheme: Scheme
    column: str | None = None  # None: see `sources`
    semantic: float | None = None  # least cosine; None: texts are compared by their words only
    encoder: str = ""
    across: bool = False  # whether texts of several scripts are compared by their embeddings
    max_unknown: float = 0.2
    memory: int = 2048 << 20  # bytes
    out: Path | None = None
    report: Path | None = None
    part: int | None = None  # rows decided at once, where not as many as the memory holds


@dataclass
class Outcome:
    """What came of a file: counts, and what the comparison took."""

    file: str
    column: str
    settings: dict[str, Any]
    rows: int = 0
    kept: int = 0
    removed: Counter[str] = field(default_factory=Counter)  # by method
    set_aside: Counter[str] = field(default_factory=Counter)  # by reason
    near_pairs: Counter[str] = field(default_factory=Counter)  # by stage
    candidates: int = 0  # pairs compared by their words
    skipped: int = 0  # pairs of groups of near-copies that nothing depended on, not compared
    recall: dict[str, float] = field(default_factory=dict)  # by stage, estimated
    not_compared: int | None = None  # kept rows in a script that no encoder knows; None where only words are compared
    encoders: list[dict[str, Any]] = field(default_factory=list)  # by strand with texts, see `Semantic.used`
    similarity: dict[str, list[float] | list[int]] = field(default_factory=dict)  # bins, removed rows by method and bin
    parts: int = 0
    seconds: float = 0.0
    seconds_by_step: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: int = 0

    @property
    def estimated_recall(self) -> dict[str, float]:
        """By stage, where near pairs may be missed: by MinHash, or an index of the embeddings that missed some."""
        missing = {"lexical": "minhash_recall" in self.settings, "semantic": self.recall.get("semantic", 1.0) < 1}
        return {stage: share for stage, share in sorted(self.recall.items()) if missing[stage]}

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON values; every method and reason is there, if with 0."""
        return {
            **vars(self),
            "removed": {method: self.removed[method] for method in METHODS},
            "set_aside": {reason: self.set_aside[reason] for reason in REASONS},
            "near_pairs": dict(self.near_pairs),
        }


def dedup_file(job: Job, progress: Stages | None = None) -> Outcome:
    """Compare the rows of a file, and write what the job asks for: whole, or not at all.

    Raises:
        UsageError: a file, column or place to write to that is not as it has to be.
        PersonaAssetsError: the file is damaged or changed while it was read, or there is no space to write.
    """
    started = time.monotonic()
    _check_places(job)
    tell = progress or (lambda stage, done, total: None)
    with (
        _blaming(f"--out {job.out}" if job.out else f"temporary folder {tempfile.gettempdir()} (TMPDIR)", job.path),
        tempfile.TemporaryDirectory(prefix=".dedup-", dir=job.out.parent if job.out else None) as folder,
    ):
        scratch = Path(folder)
        again = job.semantic is not None or job.report is not None
        source = open_source(job.path, job.column, scratch, job.out, again=again)
        outcome = _Comparing(job, source, scratch, tell).run()
        verdicts = _read_verdicts(scratch)
        if job.out:
            before = time.monotonic()
            _write(source, verdicts, scratch / f"out{job.out.suffix}", tell)
            outcome.seconds_by_step["writing"] = round(time.monotonic() - before, 3)
        outcome.seconds = round(time.monotonic() - started, 2)
        outcome.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        with ExitStack() as stack:
            if job.report:
                from persona_assets.dedup.report import report_page
                from persona_assets.view import html, markdown

                renderer = html if job.report.suffix == ".html" else markdown
                text = renderer.render_page(report_page(outcome, source.texts_at, verdicts))
                with _blaming(f"--report {job.report}", job.path):
                    page = stack.enter_context(_beside(job.report))
                    page.write_text(text, encoding="utf-8")
                    page.replace(job.report)
            if job.out:
                (scratch / f"out{job.out.suffix}").replace(job.out)
    return outcome


def _check_places(job: Job) -> None:
    for option, place, kinds in (("--out", job.out, OUT_KINDS), ("--report", job.report, REPORT_KINDS)):
        if place is None:
            continue
        if place.suffix not in kinds:
            raise UsageError(f"{option} {place}: end the name in {' or '.join(kinds)}")
        if not place.parent.is_dir():
            raise UsageError(f"{option} {place}: no such folder {place.parent}")
        if place.is_dir():
            raise UsageError(f"{option} {place} is a folder: name a file in it")
        if not os.access(place.parent, os.W_OK | os.X_OK):
            raise UsageError(f"{option} {place}: no permission to write in {place.parent}")
        if place.exists() and job.path.exists() and place.samefile(job.path):
            raise UsageError(f"{option} {place} is FILE itself: name another file")


@contextmanager
def _blaming(place: str, path: Path) -> Iterator[None]:
    """Turn what the operating system says of writing into an error that names `place`; `path` is only read.

    Raises:
        PersonaAssetsError: no space, no permission or the like.
    """
    try:
        yield
    except OSError as error:
        found = re.search(r"(?:os error|errno) (\d+)", str(error))  # as the libraries below have it
        number = error.errno or (int(found[1]) if found else 0)
        if number not in WRITE_FAULTS or error.filename == str(path):
            raise
        raise PersonaAssetsError(f"{place}: {os.strerror(number)}") from error


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A temporary name in the folder of `place`, which is gone in the end."""
    temporary = place.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


# Comparing


class _Comparing:
    """One pass over the texts of a file."""

    def __init__(self, job: Job, source: Source, scratch: Path, tell: Stages) -> None:
        self.job, self.source, self.scratch, self.tell = job, source, scratch, tell
        self.decided = self.encoded = 0  # rows of finished parts; of the part at hand
        self.semantic = self._semantic(job.semantic) if job.semantic is not None else None
        self.texts_encoded = Counter[str]()  # by strand
        self.deduper = Deduper(job.scheme, self.semantic, scratch / "segments", progress=self._encoded)
        self.outcome = Outcome(str(job.path), source.column, _settings(job))
        if self.semantic:
            self.outcome.not_compared = 0
        strands = self.semantic.strands if self.semantic else []
        least = min([job.scheme.threshold, *(strand.limits.least for strand in strands)])
        self.edges = np.linspace(least, 1.0, BINS + 1)
        self.bins = {method: np.zeros(BINS, np.int64) for method in METHODS}

    def run(self) -> Outcome:
        """Decide all rows; the verdicts go to the scratch folder."""
        with (
            pa.OSFile(str(self.scratch / "verdicts.arrow"), "wb") as file,
            pa.ipc.new_file(file, VERDICTS) as sink,
        ):
            for texts, last in self._parts():
                sink.write_table(self._decide(texts, last=last).to_arrow().cast(VERDICTS))
                self.decided, self.encoded = self.decided + texts.height, 0
                self._tell()
        outcome = self.outcome
        outcome.encoders = self.semantic.used(self.texts_encoded) if self.semantic else []
        outcome.kept = outcome.rows - outcome.removed.total() - outcome.set_aside.total()
        outcome.similarity = {
            "bins": [round(float(edge), 4) for edge in self.edges],
            **{method: counts.tolist() for method, counts in self.bins.items()},
        }
        return outcome

    def _parts(self) -> Iterator[tuple[Texts, bool]]:
        """The texts in parts that fit the memory, and whether a part is the last."""
        fit = part_rows(self.job.memory, semantic=self.job.semantic is not None)
        most = self.job.part or fit
        held: list[Texts] = []
        rows = size = 0
        self.tell("reading", 0, self.source.total())
        for batch in self.source.texts():
            start = 0
            while start < batch.height:
                if held and (rows >= most or size >= fit * TEXT_BYTES):
                    yield pl.concat(held), False
                    held, rows, size = [], 0, 0
                piece = batch.slice(start, most - rows)
                held.append(piece)
                rows, start = rows + piece.height, start + piece.height
                size += int(piece["text"].str.len_bytes().sum())
                self.tell("reading", self.decided + rows, self.source.total())
        if held:
            yield pl.concat(held), True

    def _decide(self, texts: Texts, *, last: bool) -> pl.DataFrame:
        """The verdicts on a part, in the order of its rows."""
        outcome, first = self.outcome, self.outcome.rows
        outcome.rows += texts.height
        self._tell()
        rows = texts.with_columns(row=pl.int_range(first, first + texts.height, dtype=pl.Int64))
        given = rows.filter(pl.col("reason").is_null()) if texts["reason"].null_count() < texts.height else rows
        for place, count in texts["reason"].drop_nulls().value_counts().iter_rows():
            outcome.set_aside[REASONS[place]] += count
        if not given.height:
            return rows.select("reason" if name == "reason" else pl.lit(None).alias(name) for name in VERDICTS.names)
        decision = self.deduper.add(
            given.select(
                persona_id=pl.col("row").cast(pl.String).str.zfill(ID_DIGITS),
                shard=pl.lit(f"part-{outcome.parts:05d}"),
                text="text",
            ),
            "",
            last=last,
        )
        outcome.parts += 1
        verdicts = decision.verdicts.select(
            survivor=pl.col("survivor_id").cast(pl.Int64),
            similarity="similarity",
            method=pl.col("method").replace_strict(METHODS, range(len(METHODS)), return_dtype=pl.UInt8),
            semantic_compared="semantic_compared" if self.job.semantic is not None else pl.lit(None, pl.Boolean),
        )
        self._count(decision, verdicts)
        judged = given.select("row", "reason").hstack(verdicts)
        if given is not rows:
            judged = rows.select("row", "reason").join(
                judged.drop("reason"), on="row", how="left", maintain_order="left"
            )
        return judged.select(VERDICTS.names)

    def _count(self, decision: Decision, verdicts: pl.DataFrame) -> None:
        outcome = self.outcome
        for place, method in enumerate(METHODS):
            found = verdicts.filter(pl.col("method") == place)["similarity"]
            outcome.removed[method] += len(found)
            self.bins[method] += np.histogram(found.clip(self.edges[0], 1.0), self.edges)[0]
        outcome.near_pairs["lexical"] += decision.pairs["lexical"]
        if outcome.not_compared is not None:
            outcome.near_pairs["semantic"] += decision.pairs["semantic"]
            unknown = decision.verdicts.select((pl.col("kept") & ~pl.col("semantic_compared")).sum())
            outcome.not_compared += unknown.item()
            self.texts_encoded += decision.encoded
        outcome.candidates += decision.pairs["candidates"]
        outcome.skipped += decision.pairs["skipped"]
        for stage, share in sorted(decision.recall.items()):
            outcome.recall[stage] = round(min(outcome.recall.get(stage, 1.0), share), 4)
        for step, seconds in decision.seconds.items():
            outcome.seconds_by_step[step] = round(outcome.seconds_by_step.get(step, 0.0) + seconds, 3)

    def _semantic(self, threshold: float) -> Semantic:
        job, lake = self.job, Lake(self.scratch / "lake")
        strands = make_strands(lake, job.encoder, threshold, job.max_unknown, across=job.across)

        def texts(survivors: pl.DataFrame) -> pl.Series:
            rows = survivors["persona_id"].cast(pl.Int64).to_numpy()
            return self.source.texts_at(rows).str.strip_chars()

        return Semantic(strands, texts)

    def _encoded(self, rows: int) -> None:
        self.encoded += rows
        self._tell()

    def _tell(self) -> None:
        self.tell("comparing", min(self.decided + self.encoded, self.outcome.rows), self.source.total())


def _settings(job: Job) -> dict[str, Any]:
    """What the outcome depends on."""
    scheme = job.scheme
    settings: dict[str, Any] = {"threshold": scheme.threshold, "strategy": scheme.strategy}
    if not scheme.is_exact:
        settings["minhash_recall"] = scheme.recall
    settings["semantic"] = job.semantic is not None
    if job.semantic is not None:
        settings |= {
            "semantic_threshold": job.semantic,
            "across_languages": job.across,
            "encoder": job.encoder or "packaged",
            "max_unknown_share": job.max_unknown,
        }
    return settings | {"memory_mb": job.memory >> 20}


# Writing


def _read_verdicts(scratch: Path) -> pa.Table:
    """All verdicts, mapped from the disk."""
    return pa.ipc.open_file(pa.memory_map(str(scratch / "verdicts.arrow"))).read_all()


def _added(verdicts: pa.Table, start: int, rows: int) -> pl.DataFrame:
    """The columns that the written rows gain, for `rows` rows from `start`."""
    judged = pl.DataFrame(pl.from_arrow(verdicts.slice(start, rows)))
    row = pl.int_range(start, start + judged.height, dtype=pl.Int64)
    return judged.select(
        row=row,
        keep=(pl.col("survivor") == row).fill_null(value=False),
        survivor="survivor",
        similarity="similarity",
        method=pl.col("method").replace_strict(range(len(METHODS)), METHODS, return_dtype=pl.String),
        reason=pl.col("reason").replace_strict(range(len(REASONS)), REASONS, return_dtype=pl.String),
        semantic_compared="semantic_compared",
    )


def _write(source: Source, verdicts: pa.Table, place: Path, tell: Stages) -> None:
    """All rows of the file with what was decided about them.

    Raises:
        PersonaAssetsError: there are not as many rows as were read before.
    """
    tell("writing", 0, verdicts.num_rows)
    writing = _write_parquet if place.suffix == ".parquet" else _write_lines
    done = 0
    for done in writing(source, verdicts, place):
        if done <= verdicts.num_rows:
            tell("writing", done, verdicts.num_rows)
    if done != verdicts.num_rows:
        raise PersonaAssetsError(f"{source.path} changed while it was read: run the command again")


def _write_parquet(source: Source, verdicts: pa.Table, place: Path) -> Iterator[int]:
    added = pa.schema(
        {
            "row": pa.int64(),
            "keep": pa.bool_(),
            "survivor": pa.int64(),
            "similarity": pa.float64(),
            "method": pa.string(),
            "reason": pa.string(),
            "semantic_compared": pa.bool_(),
        }
    )
    schema = source.schema()
    schema = pa.schema([*schema, *added], schema.metadata)
    done = 0
    repeating = [name for name in schema.names if name not in (source.column, "row", "survivor", "similarity")]
    with (
        pq.ParquetWriter(place, schema, compression="zstd", use_dictionary=repeating) as writer,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = pool.submit(lambda: None)  # while a row group is compressed the next one is read
        for batches in _row_groups(source.batches()):
            rows = pa.Table.from_batches(batches)
            columns = _added(verdicts, done, rows.num_rows).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(added)
            done += rows.num_rows
            if columns.num_rows == rows.num_rows:
                writing.result()
                joined = pa.Table.from_arrays([*rows.columns, *columns.columns], schema=schema)
                writing = pool.submit(writer.write_table, joined)
            yield done
        writing.result()


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches that make a row group together."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield held
            held, rows, size = [], 0, 0
    if held:
        yield held


def _write_lines(source: Source, verdicts: pa.Table, place: Path) -> Iterator[int]:
    done = 0
    with place.open("wb") as file:
        for lines in source.lines():
            added = _added(verdicts, done, len(lines)).select(pl.struct(pl.all()).struct.json_encode()).to_series()
            done += len(lines)
            if len(added) == len(lines):
                file.writelines(map(_joined, lines, added))
            yield done


def _joined(line: bytes, added: str) -> bytes:
    """A JSON object with more members at its end; nothing of what it held is written anew."""
    head = line[:-1].rstrip()
    return head + (b"" if head == b"{" else b",") + added[1:].encode() + b"\n"
