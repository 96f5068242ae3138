"""The asset `persona_survivors`: seal a dump, compare its personas, write who stands for whom.

Of earlier dumps only the segments are read: keys, and the token sets of those survivors that share one. The new dump
is decided part by part, in canonical order, within `PERSONA_MEMORY_LIMIT_MB`.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from persona_assets.dedup.canonical_order import canonical_parts
from persona_assets.dedup.deduper import Decision, Deduper, part_rows
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.publish import publish_shard
from persona_assets.dedup.seals import Seal, made_from, seal_waiting, seals
from persona_assets.dedup.stored import load_segments, store_segments
from persona_assets.dedup.strands import Semantic, make_strands
from persona_assets.dedup.survivors import METHODS
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.records import same_recipe
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS
from persona_assets.settings import Settings
from persona_assets.steps.model import AlreadyMade
from persona_assets.steps.runner import Context, Report

__all__ = ["dedup_dump", "publish_shard"]

BINS = 20  # of the similarity histogram, from 0 to 1
GROUPS = 10  # largest groups shown
SHOWN_CHARACTERS = 160  # of a group's text


def dedup_dump(context: Context, dump: str) -> list[tuple[str, Report]]:
    """Seal `dump` and what waits before it, and write the survivors of every sealed dump up to it that has none.

    `dump` itself is always computed, and so is each dump before it that is not as it would be now (its shards, the
    settings): no dump is compared with survivors of other settings. Where the survivors of a dump come out otherwise
    than they stood, the sealed dumps after it that had been compared with them are computed again too. A dump before or
    after it that another run made while this one waited for it stands as it is. Returns one report per dump written, in
    the order of the seals.

    Raises:
        AlreadyMade: another run has made `dump` itself.
        PersonaAssetsError: the dump cannot be sealed, or what it reads was written anew meanwhile.

    """
    lake = context.lake
    seal_waiting(lake, dump, context.run_id)
    sequence = seals(lake)
    place = next(index for index, seal in enumerate(sequence) if seal.dump == dump)
    reports: list[tuple[str, Report]] = []
    for index, seal in enumerate(sequence):
        upto = sequence[: index + 1]
        if index == place or _is_due(context, upto, later=index > place):
            try:
                reports.append((seal.dump, _write_survivors(context, upto)))
            except AlreadyMade:
                if index == place:
                    raise
    return reports


def _is_due(context: Context, sequence: Sequence[Seal], *, later: bool) -> bool:
    """Whether the last dump of a sequence has to be decided again, as another dump of the sequence is.

    A dump before the one that was asked for, where it is not as it would be now; a dump after it, where it was compared
    with survivors that are no more.
    """
    lake, dump = context.lake, sequence[-1].dump
    record, now = lake.record(PERSONA_SURVIVORS, dump), made_from(lake, sequence)
    if record is None:
        return not later
    if later:
        return any(now[name] != record.made_from.get(name) for name in now if name.startswith(PERSONA_SURVIVORS.name))
    return record.made_from != now or not same_recipe(record, context.recipe(PERSONA_SURVIVORS))


def scheme_of(settings: Settings) -> Scheme:
    """The lexical scheme that the settings name."""
    return Scheme.of(settings.dedup_strategy, settings.lexical_threshold, settings.minhash_recall)


def _write_survivors(context: Context, sequence: Sequence[Seal]) -> Report:
    """Decide the last dump of a sequence of seals."""
    started = time.monotonic()
    lake, settings, run_id = context.lake, context.settings, context.run_id
    *earlier, seal = sequence
    scheme = scheme_of(settings)
    rows = part_rows(settings.memory_limit_mb << 20, semantic=settings.semantic)
    decisions: list[Decision] = []
    progress = _Progress(context, sum(lake.row_count(FILTERED_PERSONAS, shard) for shard in seal.shards))
    with lake.scratch("dedup") as folder:
        scratch = Path(folder)
        segments = [one for before in earlier for one in load_segments(lake, before, scheme, scratch, rows)]
        semantic = _semantic(lake, settings) if settings.semantic else None
        deduper = Deduper(scheme, semantic, scratch / "segments", segments, progress.some)
        with context.partition(PERSONA_SURVIVORS, seal.dump) as part_writer:
            part_writer.made_from = given = made_from(lake, sequence)
            for part in canonical_parts(lake, seal, rows, scratch / "parts"):
                decision = deduper.add(part, seal.dump)
                part_writer.rows.append(_rows(part, decision, seal, run_id))
                decisions.append(replace(decision, verdicts=decision.verdicts.clear()))
                progress.reach(part.height)
            if made_from(lake, sequence) != given:
                raise PersonaAssetsError(
                    f"another run has written what {seal.dump} is compared with anew meanwhile: materialise "
                    f"persona_survivors for {seal.dump} again"
                )
        store_segments(lake, seal.dump, scheme, deduper.written)
    return _report(lake, seal, decisions, semantic, time.monotonic() - started)


class _Progress:
    """Rows decided: those that are encoded count when they are, the others when their part is done."""

    def __init__(self, context: Context, total: int) -> None:
        self.tell = context.progress or (lambda done, total=None, note="": None)
        self.counted, self.reached = 0, 0
        self.tell(0, total)

    def some(self, rows: int) -> None:
        self.counted += rows
        self.tell(rows)

    def reach(self, rows: int) -> None:
        self.reached += rows
        self.some(max(self.reached - self.counted, 0))


def _semantic(lake: Lake, settings: Settings) -> Semantic:
    strands = make_strands(
        lake,
        settings.encoder,
        settings.semantic_threshold,
        settings.max_unknown_share,
        across=settings.across_languages,
    )

    def texts(survivors: pl.DataFrame) -> pl.Series:
        wanted = survivors.select("persona_id", "shard")
        found = (
            lake.scan(FILTERED_PERSONAS, wanted["shard"].unique().to_list())
            .select("persona_id", "shard", pl.col("text").str.strip_chars())
            .join(wanted.lazy(), on=["persona_id", "shard"], how="semi")
            .collect(engine="streaming")
        )
        return wanted.join(found, on=["persona_id", "shard"], how="left", maintain_order="left")["text"]

    return Semantic(strands, texts)


def _rows(part: pl.DataFrame, decision: Decision, seal: Seal, run_id: str) -> pl.DataFrame:
    return (
        part.select("persona_id", persona_shard="shard")
        .hstack(decision.verdicts.drop("survivor_shard"))
        .with_columns(
            dump=pl.lit(seal.dump),
            seal=pl.lit(seal.seal, pl.Int64),
            run_id=pl.lit(run_id),
            created_at=pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC")),
        )
        .select(PERSONA_SURVIVORS.polars.names())
    )


def _report(lake: Lake, seal: Seal, decisions: Sequence[Decision], semantic: Semantic | None, seconds: float) -> Report:
    rows = lake.scan(PERSONA_SURVIVORS, [seal.dump])
    removed = rows.filter(~pl.col("kept"))
    counts = rows.select(
        rows=pl.len(), kept=pl.col("kept").sum(), compared=(pl.col("kept") & pl.col("semantic_compared")).sum()
    ).collect()
    methods = dict(removed.group_by("method").len().collect().iter_rows())
    total, kept, compared = counts.row(0)
    report = Report(inputs=total, kept=kept, seconds=seconds)
    report.rejected = Counter({method: methods[method] for method in METHODS if methods.get(method)})
    pairs = sum((decision.pairs for decision in decisions), Counter[str]())
    encoded = sum((decision.encoded for decision in decisions), Counter[str]())
    report.extra = {
        "not_compared": kept - compared,
        "duplicate_rate": {method: round(methods.get(method, 0) / max(total, 1), 4) for method in METHODS},
        "pairs": {name: pairs[name] for name in ("lexical", "semantic", "candidates", "skipped")},
        "recall": {stage: round(min(d.recall.get(stage, 1.0) for d in decisions), 4) for stage in decisions[0].recall},
        "encoders": semantic.used(encoded) if semantic else [],
        "parts": len(decisions),
        "similarity": _histogram(removed),
        "largest_groups": _groups(lake, seal, removed),
        "seconds_by_step": _summed(decisions),
    }
    return report


def _summed(decisions: Sequence[Decision]) -> dict[str, float]:
    steps: dict[str, float] = {}
    for decision in decisions:
        for step, seconds in decision.seconds.items():
            steps[step] = round(steps.get(step, 0.0) + seconds, 3)
    return steps


def _histogram(removed: pl.LazyFrame) -> dict[str, list[float] | list[int]]:
    """Bin edges, and removed rows per method and bin of the similarity to their survivor."""
    binned = pl.col("similarity").clip(0, 1).mul(BINS).add(1e-9).floor().cast(pl.Int64).clip(0, BINS - 1)
    counted = removed.group_by("method", bin=binned).len().collect()
    histogram: dict[str, list[float] | list[int]] = {"bins": [round(edge / BINS, 4) for edge in range(BINS + 1)]}
    for method in METHODS:
        counts = dict(counted.filter(pl.col("method") == method).select("bin", "len").iter_rows())
        histogram[method] = [counts.get(place, 0) for place in range(BINS)]
    return histogram


def _groups(lake: Lake, seal: Seal, removed: pl.LazyFrame) -> list[dict[str, str | int]]:
    """The survivors that stand for most personas of this dump, the text of one of these, and how many."""
    largest = (
        removed.group_by("survivor_id", "survivor_dump")
        .agg(removed=pl.len(), persona_id=pl.col("persona_id").min(), shard=pl.col("persona_shard").min())
        .sort("removed", "survivor_id", descending=[True, False])
        .head(GROUPS)
        .collect(engine="streaming")
    )
    texts = (
        lake.scan(FILTERED_PERSONAS, seal.shards)
        .filter(pl.col("persona_id").is_in(largest["persona_id"].implode()))
        .select("persona_id", pl.col("text").str.slice(0, SHOWN_CHARACTERS))
        .unique("persona_id", keep="first", maintain_order=True)
        .collect()
    )
    shown = largest.join(texts, on="persona_id", how="left", maintain_order="left")
    return shown.select("survivor_id", "survivor_dump", "removed", "text").to_dicts()
