"""Near-duplicates of a text column of any table in a file: `persona-assets dedup FILE`.

The canonical order is that of the rows: of near-duplicates the first row of the file is kept. Rows of other files that
it is compared with come before all of them (`against`). The file is decided part by part (`Deduper`); the verdicts,
some 18 bytes a row, lie in a temporary file until they are joined with the rows.
"""

import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from persona_assets.dedup.against import Others
from persona_assets.dedup.deduper import Decision, Deduper, part_rows
from persona_assets.dedup.outcome import Job, Outcome
from persona_assets.dedup.report import report_page
from persona_assets.dedup.strands import Semantic, make_strands
from persona_assets.dedup.survivors import METHODS
from persona_assets.dedup.writing import Writing
from persona_assets.files.places import beside, blaming, check_places
from persona_assets.files.text_column import REASONS, Source, Texts, open_source
from persona_assets.lake import Lake
from persona_assets.progress import Stages

OUT_KINDS, REPORT_KINDS = (".parquet", ".jsonl"), (".html", ".md")
ID_DIGITS = 12  # of a row's number where it stands for the row's id, so that ids sort as numbers do
TEXT_BYTES = 160  # of a text that `part_rows` reckons with; a part of longer texts has fewer rows
BINS = 20  # of the similarity histogram
VERDICTS = pa.schema(
    {
        "survivor": pa.int64(),  # the row itself where kept, null where set aside; of other files see `against`
        "similarity": pa.float64(),
        "method": pa.uint8(),  # place in METHODS
        "reason": pa.uint8(),  # place in REASONS
        "semantic_compared": pa.bool_(),  # null where set aside, or where only words are compared
    }
)


def dedup_file(job: Job, progress: Stages | None = None) -> Outcome:
    """Compare the rows of a file, and write what the job asks for: whole, or not at all.

    Raises:
        UsageError: a file, column or place to write to that is not as it has to be.
        PersonaAssetsError: the file is damaged or changed while it was read, or there is no space to write.
    """
    started = time.monotonic()
    for path in (job.path, *job.against):
        check_places(path, ("--out", job.out, OUT_KINDS), ("--report", job.report, REPORT_KINDS))
    tell = progress or (lambda stage, done, total: None)
    with (
        blaming(f"--out {job.out}" if job.out else f"temporary folder {tempfile.gettempdir()} (TMPDIR)", job.path),
        tempfile.TemporaryDirectory(prefix=".dedup-", dir=job.out.parent if job.out else None) as folder,
    ):
        scratch = Path(folder)
        again = job.semantic is not None or job.report is not None
        source = open_source(job.path, job.column, scratch, job.out, again=again, added=job.added)
        others = Others.open(job.against, job.column, scratch, again=again)
        outcome = _Comparing(job, source, others, scratch, tell).run()
        verdicts = _read_verdicts(scratch)
        if job.out:
            before = time.monotonic()
            Writing(source, verdicts, others, only_kept=job.only_kept).write(scratch / f"out{job.out.suffix}", tell)
            outcome.seconds_by_step["writing"] = round(time.monotonic() - before, 3)
        outcome.seconds = round(time.monotonic() - started, 2)
        outcome.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        with ExitStack() as stack:
            if job.report:
                from persona_assets.view import html, markdown

                renderer = html if job.report.suffix == ".html" else markdown
                text = renderer.render_page(
                    report_page(outcome, others.texts_with(source.texts_at), verdicts, others.told)
                )
                with blaming(f"--report {job.report}", job.path):
                    page = stack.enter_context(beside(job.report))
                    page.write_text(text, encoding="utf-8")
                    page.replace(job.report)
            if job.out:
                (scratch / f"out{job.out.suffix}").replace(job.out)
    return outcome


# Comparing


class _Comparing:
    """One pass over the texts of a file."""

    def __init__(self, job: Job, source: Source, others: Others, scratch: Path, tell: Stages) -> None:
        self.job, self.source, self.others, self.scratch, self.tell = job, source, others, scratch, tell
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
            self._hold_others()
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

    def _hold_others(self) -> None:
        """Take in the rows of the other files, which stand."""
        fit, done = part_rows(self.job.memory, semantic=self.job.semantic is not None), 0
        held: list[pl.DataFrame] = []
        for first, batch, source in self.others.texts():
            rows = batch.with_columns(row=pl.int_range(first, first + batch.height, dtype=pl.Int64))
            held.append(rows.filter(pl.col("reason").is_null()).select("row", "text"))
            done = first + batch.height
            self.tell("reading other", done, source.total() if len(self.others.sources) == 1 else None)
            size = sum(int(part["text"].str.len_bytes().sum()) for part in held)
            if sum(part.height for part in held) >= fit or size >= fit * TEXT_BYTES:
                self._hold(pl.concat(held))
                held = []
        if held:
            self._hold(pl.concat(held))
        ends = zip(self.others.sources, self.others.starts, self.others.starts[1:], strict=False)
        self.outcome.against = {str(source.path): {"rows": end - start, "removed": 0} for source, start, end in ends}

    def _hold(self, rows: pl.DataFrame) -> None:
        shard = pl.lit(f"other-{len(self.deduper.segments):05d}")
        given = rows.select(persona_id=_id_of(pl.col("row")), shard=shard, text="text")
        if given.height:
            self.deduper.hold(given)

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
                persona_id=_id_of(pl.col("row") + self.others.rows),
                shard=pl.lit(f"part-{outcome.parts:05d}"),
                text="text",
            ),
            "",
            last=last,
        )
        outcome.parts += 1
        verdicts = decision.verdicts.select(
            survivor=pl.col("survivor_id").cast(pl.Int64) - self.others.rows,
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
        for row, count in verdicts.filter(pl.col("survivor") < 0)["survivor"].value_counts().iter_rows():
            outcome.against[str(self.others.sources[self.others.place_of(row)[0]].path)]["removed"] += count
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
            rows = survivors["persona_id"].cast(pl.Int64).to_numpy() - self.others.rows
            return self.others.texts_with(self.source.texts_at)(rows).str.strip_chars()

        return Semantic(strands, texts)

    def _encoded(self, rows: int) -> None:
        self.encoded += rows
        self._tell()

    def _tell(self) -> None:
        self.tell("comparing", min(self.decided + self.encoded, self.outcome.rows), self.source.total())


def _id_of(row: pl.Expr) -> pl.Expr:
    """What stands for a row's id: its number, such that ids sort as numbers do."""
    return row.cast(pl.String).str.zfill(ID_DIGITS)


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


def _read_verdicts(scratch: Path) -> pa.Table:
    """All verdicts, mapped from the disk."""
    return pa.ipc.open_file(pa.memory_map(str(scratch / "verdicts.arrow"))).read_all()
