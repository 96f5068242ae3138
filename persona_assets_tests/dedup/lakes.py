"""Lakes with filtered personas, for the tests of dedup."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS, SHARD_FILES
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context

NOW = datetime(2024, 1, 1, tzinfo=UTC)


class NoEngine:
    """Dedup asks no model."""

    def identity(self, template: object) -> None: ...

    def stream(self, requests: object) -> None: ...

    def close(self) -> None: ...


def context(lake: Lake, run_id: str = "run", **settings: object) -> Context:
    return Context(lake, Settings(**settings), NoEngine(), run_id)  # type: ignore[arg-type]


def persona_id(shard: str, place: int, text: str) -> str:
    return make_id("per", shard, place, text)


def register(lake: Lake, shard: str) -> None:
    dump = shard.rsplit(".", 1)[0]
    row = {"dump": dump, "shard": shard, "folder": dump, "file": f"{shard}.wet", "bytes": 1, "created_at": NOW}
    lake.write(SHARD_FILES, shard, pl.DataFrame([row], schema=SHARD_FILES.polars), "run")


def add_shard(lake: Lake, shard: str, texts: Sequence[str]) -> None:
    """Register a shard and write its filtered personas."""
    register(lake, shard)
    n = len(texts)
    frame = pl.DataFrame(
        {
            "persona_id": [persona_id(shard, place, text) for place, text in enumerate(texts)],
            "document_id": [make_id("doc", shard, place) for place in range(n)],
            "parent_persona_id": pl.Series([None] * n, dtype=pl.String),
            "text": pl.Series(texts, dtype=pl.String),
        }
    ).with_columns(
        relation=pl.lit("read"),
        hop=pl.lit(0, pl.Int8),
        language=pl.lit("en"),
        granularity=pl.lit("fine"),
        call_id=pl.lit("call_1"),
        template=pl.lit("extract"),
        template_version=pl.lit(1, pl.Int32),
        model=pl.lit("offline"),
        shard=pl.lit(shard),
        run_id=pl.lit("run"),
        created_at=pl.lit(NOW, pl.Datetime("us", "UTC")),
    )
    lake.write(FILTERED_PERSONAS, shard, frame.select(FILTERED_PERSONAS.polars.names()), "run")


def make_lake(root: Path, shards: Mapping[str, Sequence[str]]) -> Lake:
    lake = Lake(root)
    for shard, texts in shards.items():
        add_shard(lake, shard, texts)
    return lake


def verdicts(lake: Lake) -> pl.DataFrame:
    """All survivors rows with their texts, without the columns that may differ between runs."""
    rows = lake.scan(PERSONA_SURVIVORS).drop("run_id", "created_at")
    texts = lake.scan(FILTERED_PERSONAS).select("persona_id", "text")
    survivors = texts.select(survivor_id="persona_id", survivor_text="text")
    joined = rows.join(texts, on="persona_id", how="left").join(survivors, on="survivor_id", how="left")
    return joined.sort("seal", "persona_id").collect()
