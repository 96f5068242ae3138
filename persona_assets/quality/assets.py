"""How diverse a dataset is, as an asset: `<dataset>_quality`, with limits that fail its check."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from persona_assets.contamination.benchmarks import Benchmarks
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.quality.apart import apart_of
from persona_assets.quality.page import measures_shown
from persona_assets.quality.report import Group, Quality, measured
from persona_assets.quality.rows import text_of, texts_of
from persona_assets.settings import Settings
from persona_assets.tasks.derived import Derived, data_files, derived
from persona_assets.tasks.set_checks import set_check

SUFFIX = "_quality"
LIMITS = "quality_limits"
SIMILARITY = "similarity_of_products"
_OF_GROUPS = ("near_duplicates", "distinct_1", "distinct_2", "distinct_3", "self_bleu", "vendi", "coverage")
MEASURES = (*_OF_GROUPS, SIMILARITY)
COLUMNS = {
    "measure": pl.String,
    "language": pl.String,
    "mode": pl.String,
    "of_hop": pl.Int64,
    "level": pl.Float64,
    "rows": pl.Int64,
    "sampled": pl.Int64,
    "value": pl.Float64,
    "least": pl.Float64,
    "most": pl.Float64,
    "fewest": pl.Int64,
    "examples": pl.List(pl.String),
}
# The settings of dedup, and those of the encoder: what is near is what dedup would remove.
SETTINGS = (
    *("dedup_strategy", "lexical_threshold", "minhash_recall", "semantic", "semantic_threshold"),
    *("encoder", "max_unknown_share"),
)
NOTHING = "nothing_to_measure"


@set_check(description="Each measure is within the limits that quality/limits.yaml gives it.")
def diverse_enough(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The measures that are beyond a limit, of groups with enough rows."""
    value, beyond = pl.col("value"), pl.lit(value=False)
    beyond = (value < pl.col("least")).fill_null(beyond) | (value > pl.col("most")).fill_null(beyond)
    return rows.filter(beyond & (pl.col("rows") >= pl.col("fewest").fill_null(0)))


def quality_of(
    wanted: Sequence[str], declared: Mapping[str, Any], benchmarks: Benchmarks | None = None
) -> Iterator[Derived]:
    """The functions that measure these datasets and, where there are benchmarks, how near their rows are to items.

    Raises:
        UsageError: one is no task whose rows hold texts.
    """
    texts = {name: text for name, one in declared.items() if wanted and (text := _text(one)) is not None}
    for name in texts if "all" in wanted else wanted:
        if name not in texts:
            raise UsageError(f"PERSONA_MEASURED: there is no task of texts {name}; {did_you_mean(name, texts)}")
        yield _quality_of(name, texts[name])
        if benchmarks:
            yield apart_of(name, texts[name], benchmarks)


def _text(declared: object) -> pl.Expr | None:
    """The texts of a task's rows; None of what is no task of texts, or is at fault: that is told when it is loaded."""
    try:
        return text_of(declared.whole) if isinstance(declared, Template) else None
    except UsageError:
        return None


def _quality_of(dataset: str, text: pl.Expr) -> Derived:
    def quality(
        limits: pl.LazyFrame,
        rows: pl.LazyFrame,
        personas: pl.LazyFrame,
        *,
        lake: Lake,
        **settings: Any,  # noqa: ANN401 - of several types
    ) -> pl.DataFrame:
        how = Settings.model_construct(None, **settings)
        found = measured(lake, how, [texts_of(dataset, text, rows, personas)], lambda name, done: None)
        return _rows(limits.collect(), found)

    quality.__name__ = f"{dataset}{SUFFIX}"
    quality.__doc__ = f"How diverse {dataset} is, by language, mode and measure."
    return derived(
        reads=(data_files("quality/limits.yaml", table=LIMITS), dataset, DEDUPED_PERSONAS.name),
        columns=COLUMNS,
        description=f"How diverse {dataset} is: near-duplicates, distinct words, self-BLEU, Vendi score, coverage, and "
        "how similar the products of similar personas are.",
        cites={"examples": dataset},
        nullable=("language", "mode", "of_hop", "level", "sampled", "least", "most", "fewest"),
        settings=SETTINGS,
        set_checks=(diverse_enough,),
        modules=("quality.assets", "quality.measures", "quality.report", "quality.rows"),
        given=("lake",),
        shows=measures_shown,
    )(quality)


def _rows(limits: pl.DataFrame, found: Sequence[Quality]) -> pl.DataFrame:
    """A row for each group and each measure that has limits; a measure of which nothing can be told is set aside."""
    told = [*(row for one in found for row in _of_groups(one)), *(row for one in found for row in _of_pairs(one))]
    known = {row["measure"]: row for row in limits.iter_rows(named=True)}
    if stray := [name for name in known if name not in MEASURES]:
        raise UsageError(f"{limits['file'][0]}: there is no measure {stray[0]}; {did_you_mean(stray[0], MEASURES)}")
    rows = []
    for name, limit in known.items():
        own = [row for row in told if row["measure"] == name]
        held = {key: limit.get(key) for key in ("least", "most", "fewest")}
        rows += [{**row, **held, "parent_ids": [limit["row_id"]]} for row in own]
        if not own:
            said = f"no group has enough rows for {name}"
            rows.append({"parent_ids": [limit["row_id"]], "reason": NOTHING, "detail": said})
    schema: dict[str, Any] = {"parent_ids": pl.List(pl.String), **COLUMNS, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame(rows, schema=schema)


def _of_groups(one: Quality) -> Iterator[dict[str, Any]]:
    for group in one.groups:
        for name in _OF_GROUPS:
            value = group.duplicates / group.rows if name == "near_duplicates" else getattr(group, name)
            if value is not None:
                about = {"measure": name, "language": group.language, "mode": group.mode, "rows": group.rows}
                yield about | {
                    "sampled": _sampled(group, name),
                    "value": float(value),
                    "examples": _examples(one, name),
                }


def _sampled(group: Group, name: str) -> int | None:
    if name == "near_duplicates":
        return None
    return group.encoded if name == "vendi" else group.sampled


def _examples(one: Quality, name: str) -> list[str]:
    return [row["id"] for row in one.near] if name == "near_duplicates" else []


def _of_pairs(one: Quality) -> Iterator[dict[str, Any]]:
    for curve in one.curves:
        for level, pairs, mean in curve.points:
            if mean is not None:
                about = {"measure": SIMILARITY, "mode": curve.mode, "of_hop": curve.hop, "level": level}
                yield about | {"rows": pairs, "value": mean, "examples": []}
