"""What a lake's datasets come to, measured: `persona-assets quality`. Reads rows, and keeps vectors, nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from persona_assets.dedup.deduper import Deduper
from persona_assets.dedup.run import scheme_of
from persona_assets.dedup.strands import Semantic, Strand, make_strands
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS
from persona_assets.quality.measures import Vectors, Vendi, distinct, region_of, regions, self_bleu, similarity_at
from persona_assets.quality.rows import SCHEMA, Texts, texts_in
from persona_assets.settings import Settings
from persona_assets.text.scripts import scripts_of

SAMPLE = 1000  # rows of a group that are looked at where a measure depends on their number, or takes their square
TOGETHER = 20_000  # rows that partitions are brought together to, and cut into: what is compared at once
FEWEST = 2  # rows of a group that a measure is told of
LEVELS, WIDTH = (
    (0.4, 0.6, 0.8, 0.9),
    0.025,
)  # cosines of personas that the paper looks at, and how near a pair has to be
GROUP = ("mode", "language")


@dataclass
class Group:
    """A dataset's rows in one mode and language. `sampled` is their number where a measure looks at a sample."""

    mode: str | None
    language: str
    rows: int = 0
    duplicates: int = 0
    sampled: int = 0
    distinct_1: float | None = None
    distinct_2: float | None = None
    distinct_3: float | None = None
    self_bleu: float | None = None
    vendi: float | None = None
    encoded: int = 0  # rows that have a vector, which `vendi` is of
    coverage: float | None = None


@dataclass
class Curve:
    """How similar products are whose personas are so similar, by mode and hop: level, pairs and mean cosine."""

    mode: str | None
    hop: int
    points: list[tuple[float, int, float | None]]


@dataclass
class Quality:
    """One dataset. `near` has its near-duplicates: id, survivor_id, similarity and method, the most alike first."""

    dataset: str
    groups: list[Group] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    near: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Its rows with a text."""
        return sum(group.rows for group in self.groups)

    @property
    def duplicates(self) -> int:
        """Those that a row before them stands for."""
        return sum(group.duplicates for group in self.groups)


@dataclass(frozen=True)
class Novelty:
    """The personas of one hop, and how many of them survive dedup: the others are near one that is there already."""

    hop: int
    personas: int
    kept: int

    @property
    def share(self) -> float:
        """Of those of the hop."""
        return self.kept / self.personas


@dataclass
class Report:
    """Everything that was measured."""

    datasets: list[Quality]
    novelty: list[Novelty]

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        return asdict(self)


NEAR_SHOWN = 100  # near-duplicates of a dataset that are named

Progress = Callable[[str, int], None]  # a dataset, and how many more of its rows are done


def measure(
    lake: Lake, settings: Settings, datasets: Mapping[str, tuple[Table, pl.Expr]], dumps: Sequence[str], tell: Progress
) -> Report:
    """Measure these datasets, each a table with the expression of its texts, and the hops of personas."""
    texts = [texts_in(lake, table, text, dumps) for table, text in datasets.values()]
    return Report(measured(lake, settings, texts, tell), novelty(lake, dumps))


def measured(lake: Lake, settings: Settings, datasets: Sequence[Texts], tell: Progress) -> list[Quality]:
    """Measure the texts of datasets. Holds one partition, or some small ones, and a sample of each group.

    Near-duplicates are those that dedup would remove, with the settings of dedup; of several the one of the lowest
    id in the first partition stands. Vectors are kept in the lake.
    """
    strands = make_strands(
        lake, settings.encoder, settings.semantic_threshold, settings.max_unknown_share, across=False
    )
    found, samples = [], {}
    for texts in datasets:
        if texts.keys:
            one, samples[texts.name] = _dataset(lake, settings, texts, strands, tell)
            found.append(one)
    _coverage(found, samples, strands)
    for one in found:
        one.curves = list(_curves(samples[one.dataset], strands))
    return found


def novelty(lake: Lake, dumps: Sequence[str]) -> list[Novelty]:
    """By hop the personas of the sealed dumps, and those that survive."""
    keys = [key for key in lake.keys(PERSONA_SURVIVORS) if not dumps or key in dumps]
    hops = lake.scan(FILTERED_PERSONAS).select("persona_id", "shard", "hop")
    verdicts = lake.scan(PERSONA_SURVIVORS, keys).select("persona_id", "kept", shard="persona_shard")
    counts = (
        verdicts.join(hops, on=["persona_id", "shard"])
        .group_by("hop")
        .agg(personas=pl.len(), kept=pl.col("kept").sum())
        .sort("hop")
        .collect(engine="streaming")
    )
    return [Novelty(*row) for row in counts.iter_rows()]


# One dataset


def _dataset(
    lake: Lake, settings: Settings, texts: Texts, strands: Sequence[Strand], tell: Progress
) -> tuple[Quality, pl.DataFrame]:
    """What is counted over all rows, and the sample of each group: the rows with the lowest ids, which are digests."""
    groups: dict[tuple[str | None, str], Group] = {}
    vendis: dict[tuple[str | None, str, int], Vendi] = {}
    sample = pl.DataFrame(schema=SCHEMA)
    near = pl.DataFrame()
    with lake.scratch("quality") as folder:
        semantic = Semantic(strands, _earlier(texts)) if settings.semantic else None
        deduper = Deduper(scheme_of(settings), semantic, Path(folder))
        for batch in _together(texts.batches()):
            for rows in batch.iter_slices(TOGETHER):
                verdicts = deduper.add(_for_dedup(texts.name, rows), "").verdicts
                judged = rows.select("id", *GROUP).hstack(
                    verdicts.select("kept", "survivor_id", "similarity", "method")
                )
                _count(groups, judged)
                if settings.semantic:
                    _add_vectors(vendis, strands, texts.name, rows)
                removed = judged.filter(~pl.col("kept")).select("id", "survivor_id", "similarity", "method")
                near = (
                    pl.concat([near, removed], how="diagonal")
                    .sort("similarity", "id", descending=[True, False])
                    .head(NEAR_SHOWN)
                )
                sample = pl.concat([sample, rows]).sort("id").group_by(GROUP, maintain_order=True).head(SAMPLE)
                sample = sample.select(SCHEMA.names())
                tell(texts.name, rows.height)
    for (mode, language), group in groups.items():
        own = sample.filter(pl.col("mode").eq_missing(mode) & (pl.col("language") == language))["text"]
        group.sampled = own.len()
        if own.len() >= FEWEST:
            group.distinct_1, group.distinct_2, group.distinct_3 = (distinct(own, n) for n in (1, 2, 3))
            group.self_bleu = self_bleu(own)
        of_group = [vendi for key, vendi in vendis.items() if key[:2] == (mode, language)]
        if of_group:  # of several scripts the one that most rows are in
            largest = max(of_group, key=lambda vendi: vendi.count)
            group.vendi, group.encoded = largest.score, largest.count
    ordered = sorted(groups.values(), key=lambda group: (group.mode or "", group.language))
    return Quality(texts.name, ordered, near=near.to_dicts()), sample


def _together(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small partitions in one frame: each frame is compared with every one before it."""
    held: list[pl.DataFrame] = []
    for batch in batches:
        held.append(batch)
        if sum(part.height for part in held) >= TOGETHER:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _for_dedup(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as dedup takes them; their vectors are kept under the names of dataset and partition."""
    return rows.select(persona_id="id", shard=pl.lit(f"{name}-") + pl.col("shard"), text="text")


def _earlier(texts: Texts) -> Callable[[pl.DataFrame], pl.Series]:
    """The texts of earlier survivors, read again; see `_for_dedup`."""
    return lambda survivors: texts.again(survivors.with_columns(pl.col("shard").str.strip_prefix(f"{texts.name}-")))


def _count(groups: dict[tuple[str | None, str], Group], judged: pl.DataFrame) -> None:
    counted = judged.group_by(GROUP).agg(rows=pl.len(), kept=pl.col("kept").sum())
    for mode, language, rows, kept in counted.iter_rows():
        group = groups.setdefault((mode, language), Group(mode, language))
        group.rows += rows
        group.duplicates += rows - kept


def encoded(strands: Sequence[Strand], frame: pl.DataFrame) -> Iterator[tuple[int, np.ndarray[Any, Any], Vectors]]:
    """By strand its place, the places in a frame (persona_id, shard, text) that have a vector, and their vectors."""
    scripts = scripts_of(frame["text"])
    for number, strand in enumerate(strands):
        places = np.flatnonzero(np.isin(scripts, strand.scripts))
        if len(places):
            known, vectors = strand.cache.vectors(frame[places])
            if known.any():
                yield number, places[known], vectors


def _add_vectors(
    vendis: dict[tuple[str | None, str, int], Vendi], strands: Sequence[Strand], name: str, rows: pl.DataFrame
) -> None:
    for number, places, vectors in encoded(strands, _for_dedup(name, rows)):
        of = rows[places].select(GROUP).with_row_index("_at")
        for (mode, language), part in of.group_by(GROUP):
            key = (None if mode is None else str(mode), str(language), number)
            vendis.setdefault(key, Vendi()).add(vectors[part["_at"].to_numpy()])


# What takes several datasets, or pairs


def _coverage(found: Sequence[Quality], samples: Mapping[str, pl.DataFrame], strands: Sequence[Strand]) -> None:
    """By group the share of the regions of meaning, of all datasets in a language together, that its sample reaches."""
    places: dict[tuple[str, int], list[tuple[Group, Vectors]]] = {}
    for one in found:
        sample = samples[one.dataset]
        for group in one.groups:
            own = sample.filter(pl.col("mode").eq_missing(group.mode) & (pl.col("language") == group.language))
            parts = list(encoded(strands, _for_dedup(one.dataset, own))) if group.encoded else []
            if parts:
                number, _, vectors = max(parts, key=lambda part: len(part[1]))
                places.setdefault((group.language, number), []).append((group, vectors))
    for reached in places.values():
        centres = regions(np.concatenate([vectors for _, vectors in reached]))
        for group, vectors in reached:
            group.coverage = len(np.unique(region_of(vectors, centres))) / len(centres)


def _curves(sample: pl.DataFrame, strands: Sequence[Strand]) -> Iterator[Curve]:
    """By mode and hop, over all languages: pairs are of rows in one script, with personas in one script too."""
    about = sample.filter(pl.col("persona").is_not_null())
    for (mode, hop), part in sorted(
        about.group_by("mode", "hop"), key=lambda group: (str(group[0][0] or ""), group[0][1])
    ):
        points = [(level, 0, 0.0) for level in LEVELS]
        for strand in strands:
            is_ours = np.isin(scripts_of(part["text"]), strand.scripts) & np.isin(
                scripts_of(part["persona"]), strand.scripts
            )
            rows = part.filter(pl.Series(is_ours)).sort("id").head(SAMPLE)
            if rows.height < FEWEST:
                continue
            causes = strand.cache.encoder.encode(rows["persona"].to_list())
            products = strand.cache.encoder.encode(rows["text"].to_list())
            points = [
                (level, pairs + more, total + more * (mean or 0.0))
                for (level, pairs, total), (_, more, mean) in zip(
                    points, similarity_at(causes, products, LEVELS, WIDTH), strict=True
                )
            ]
        yield Curve(
            None if mode is None else str(mode),
            int(hop),
            [(level, pairs, total / pairs if pairs else None) for level, pairs, total in points],
        )
