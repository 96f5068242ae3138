from pathlib import Path

import polars as pl
import pytest

from persona_assets.dedup.run import dedup_dump, publish_shard
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, FILTERED_PERSONAS
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake, verdicts

TEACHER = "A retired mathematics teacher from a small mining town who now tutors evening classes for adult learners"
OTHER = "A fisherman who repairs nets and predicts the weather from the colour of the sea"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(tmp_path, {"a.0000": [TEACHER, OTHER], "a.0001": [TEACHER, TEACHER + " daily"]})


def test_every_persona_is_published_or_set_aside_with_its_survivor(lake: Lake) -> None:
    dedup_dump(context(lake), "a")
    reports = [publish_shard(context(lake, "publishing"), shard) for shard in ("a.0000", "a.0001")]
    kept = lake.scan(DEDUPED_PERSONAS).collect()
    rejects = lake.rejects(DEDUPED_PERSONAS).collect()
    filtered = lake.scan(FILTERED_PERSONAS).collect()
    assert sorted([*kept["persona_id"], *rejects["row_id"]]) == sorted(filtered["persona_id"])
    assert sum(report.inputs for report in reports) == 4
    assert sum(report.kept for report in reports) == kept.height == 2
    assert sum((report.rejected for report in reports), start=type(reports[0].rejected)()).total() == 2
    assert set(rejects["reason"]) <= {"duplicate_exact", "duplicate_lexical"}
    survivor = kept.filter(pl.col("text").str.starts_with("A retired"))["persona_id"][0]
    assert all(f"of {survivor} in dump a, similarity" in detail for detail in rejects["detail"])
    assert set(kept["run_id"]) == {"publishing"}


def test_kept_rows_are_the_filtered_rows(lake: Lake) -> None:
    dedup_dump(context(lake), "a")
    publish_shard(context(lake), "a.0000")
    published = lake.read(DEDUPED_PERSONAS, "a.0000").drop("run_id", "created_at")
    of_shard = verdicts(lake).filter(pl.col("kept") & (pl.col("persona_shard") == "a.0000"))
    filtered = lake.read(FILTERED_PERSONAS, "a.0000").drop("run_id", "created_at")
    assert published.equals(filtered.filter(pl.col("persona_id").is_in(of_shard["persona_id"].implode())))


def test_publishing_before_dedup_says_what_to_materialise(lake: Lake) -> None:
    with pytest.raises(PersonaAssetsError, match="persona_survivors has no partition a: materialise it first"):
        publish_shard(context(lake), "a.0000")


@pytest.mark.parametrize("texts", [[TEACHER, OTHER, "one more"], [TEACHER]])
def test_a_shard_that_changed_after_dedup_is_not_published(lake: Lake, texts: list[str]) -> None:
    dedup_dump(context(lake), "a")
    add_shard(lake, "a.0000", texts)
    with pytest.raises(PersonaAssetsError, match="materialise persona_survivors for a again"):
        publish_shard(context(lake), "a.0000")
    assert not lake.exists(DEDUPED_PERSONAS, "a.0000")
    dedup_dump(context(lake), "a")
    assert publish_shard(context(lake), "a.0000").inputs == len(texts)


def test_a_shard_that_came_after_the_seal_is_sent_to_a_new_dump(lake: Lake) -> None:
    dedup_dump(context(lake), "a")
    add_shard(lake, "a.0002", [OTHER])
    with pytest.raises(PersonaAssetsError, match="folder of a new dump"):
        publish_shard(context(lake), "a.0002")
