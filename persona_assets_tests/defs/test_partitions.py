import dagster as dg
import pytest
from dagster import DagsterInstance
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.defs.partitions import (
    DUMPS,
    SAME_DUMP,
    SHARDS,
    additions,
    lake_key,
    partition_key,
    register,
    too_many,
)


@pytest.fixture
def instance() -> DagsterInstance:
    instance = DagsterInstance.ephemeral()
    register(instance, ["a.0000", "a.0001", "a-b.0000"])
    return instance


def upstream(key: str, down: dg.PartitionsDefinition, up: dg.PartitionsDefinition, store: DagsterInstance) -> set[str]:
    subset = down.subset_with_partition_keys([key])
    found = SAME_DUMP.get_upstream_mapped_partitions_result_for_partitions(
        subset, down, up, dynamic_partitions_store=store
    )
    return set(found.partitions_subset.get_partition_keys())


def downstream(
    key: str, up: dg.PartitionsDefinition, down: dg.PartitionsDefinition, store: DagsterInstance
) -> set[str]:
    subset = up.subset_with_partition_keys([key])
    found = SAME_DUMP.get_downstream_partitions_for_partitions(subset, up, down, dynamic_partitions_store=store)
    return set(found.get_partition_keys())


def test_a_shard_is_a_combination_of_dump_and_part(instance: DagsterInstance) -> None:
    key = partition_key("a-b.0000")
    assert key == "a-b|0000"
    assert isinstance(key, dg.MultiPartitionKey)
    assert key.keys_by_dimension == {"dump": "a-b", "part": "0000"}
    assert key in SHARDS.get_partition_keys(dynamic_partitions_store=instance)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True), st.integers(0, 99_999))
def test_the_keys_of_dagster_and_of_the_lake_map_to_each_other(dump: str, index: int) -> None:
    for key in (dump, f"{dump}.{index:04d}", f"{dump}_late1.{index:04d}"):
        assert lake_key(partition_key(key)) == key


def test_registering_shards_registers_their_dumps_and_parts(instance: DagsterInstance) -> None:
    assert sorted(instance.get_dynamic_partitions("dumps")) == ["a", "a-b"]
    assert sorted(instance.get_dynamic_partitions("parts")) == ["0000", "0001"]


def test_what_is_known_is_not_added_again(instance: DagsterInstance) -> None:
    assert additions(instance, ["a.0000", "a-b.0000"]) == {"dumps": [], "parts": []}
    assert additions(instance, ["c.0001", "a.0007"]) == {"dumps": ["c"], "parts": ["0007"]}


def test_a_dump_depends_on_its_combinations_and_no_others(instance: DagsterInstance) -> None:
    assert upstream("a", DUMPS, SHARDS, instance) == {"a|0000", "a|0001"}


def test_a_shard_leads_to_its_dump(instance: DagsterInstance) -> None:
    assert downstream(partition_key("a.0001"), SHARDS, DUMPS, instance) == {"a"}


def test_a_shard_depends_on_its_dump(instance: DagsterInstance) -> None:
    assert upstream(partition_key("a-b.0000"), SHARDS, DUMPS, instance) == {"a-b"}


def test_a_dump_leads_to_its_combinations(instance: DagsterInstance) -> None:
    assert downstream("a", DUMPS, SHARDS, instance) == {"a|0000", "a|0001"}


def test_so_many_combinations_that_pages_get_slow_are_told_with_a_remedy() -> None:
    wide = [f"d{dump}.{part:04d}" for dump in range(50) for part in range(100)]
    assert too_many([]) == too_many(wide) == ""
    told = too_many([*wide, *(f"big.{part:04d}" for part in range(5000))])
    assert told.startswith("51 dumps of up to 5,000 shards (big) are 255,000 combinations")
    assert "PERSONA_FILES_PER_SHARD" in told
