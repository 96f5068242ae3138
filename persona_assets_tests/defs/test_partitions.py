import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.defs.partitions import DUMPS, SHARDS, SameDump, register


@pytest.fixture
def instance() -> DagsterInstance:
    instance = DagsterInstance.ephemeral()
    register(instance, ["a.0000", "a.0001", "a-b.0000"])
    return instance


def upstream(
    mapping: dg.PartitionMapping,
    key: str,
    down: dg.PartitionsDefinition,
    up: dg.PartitionsDefinition,
    store: DagsterInstance,
) -> set[str]:
    subset = down.subset_with_partition_keys([key])
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        subset, down, up, dynamic_partitions_store=store
    )
    return set(found.partitions_subset.get_partition_keys())


def downstream(
    mapping: dg.PartitionMapping,
    key: str,
    up: dg.PartitionsDefinition,
    down: dg.PartitionsDefinition,
    store: DagsterInstance,
) -> set[str]:
    subset = up.subset_with_partition_keys([key])
    found = mapping.get_downstream_partitions_for_partitions(subset, up, down, dynamic_partitions_store=store)
    return set(found.get_partition_keys())


def test_registering_shards_registers_their_dumps(instance: DagsterInstance) -> None:
    assert instance.get_dynamic_partitions("dumps") == ["a", "a-b"]


def test_registering_again_adds_nothing(instance: DagsterInstance) -> None:
    assert register(instance, ["a.0000"]) == []


def test_a_dump_depends_on_its_shards_and_no_others(instance: DagsterInstance) -> None:
    assert upstream(SameDump(), "a", DUMPS, SHARDS, instance) == {"a.0000", "a.0001"}


def test_a_shard_leads_to_its_dump(instance: DagsterInstance) -> None:
    assert downstream(SameDump(), "a.0001", SHARDS, DUMPS, instance) == {"a"}


def test_a_shard_depends_on_its_dump(instance: DagsterInstance) -> None:
    assert upstream(SameDump(), "a-b.0000", SHARDS, DUMPS, instance) == {"a-b"}


def test_a_dump_leads_to_its_shards(instance: DagsterInstance) -> None:
    assert downstream(SameDump(), "a", DUMPS, SHARDS, instance) == {"a.0000", "a.0001"}
