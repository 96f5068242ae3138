"""Shards and dumps as dynamic partitions, and how one maps to the other."""

import warnings
from collections.abc import Iterable
from datetime import datetime

import dagster as dg
from dagster import DagsterInstance, PartitionsDefinition
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.partitions.mapping.partition_mapping import UpstreamPartitionsResult
from dagster._core.definitions.partitions.subset.partitions_subset import PartitionsSubset
from dagster._core.instance.types import DynamicPartitionsStore

from persona_assets.lake.store import dump_of

SHARDS = dg.DynamicPartitionsDefinition(name="shards")
DUMPS = dg.DynamicPartitionsDefinition(name="dumps")

# Dagster supports own mappings where automation is evaluated in the code server, as `follow_new_data` is (see
# arrival.py); elsewhere it falls back to "all partitions" and says so on every load.
warnings.filterwarnings("ignore", message="Non-built-in PartitionMappings", category=DeprecationWarning)


class SameDump(dg.PartitionMapping):
    """A dump depends on all its shards, and a shard on its dump: keys belong together when their dump is the same.

    Dump keys hold no dot, so `dump_of` leaves them as they are, and one mapping serves both directions.
    """

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "Shards and their dump belong together."

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Any two partition sets of this project fit."""

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset: PartitionsSubset,
        upstream_partitions_def: PartitionsDefinition,
        downstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> PartitionsSubset:
        """The partitions of the same dumps, downstream."""
        with partition_loading_context(current_time, dynamic_partitions_store):
            return _same_dump(upstream_partitions_subset, downstream_partitions_def, dynamic_partitions_store)

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> UpstreamPartitionsResult:
        """The partitions of the same dumps, upstream."""
        assert downstream_partitions_subset is not None
        with partition_loading_context(current_time, dynamic_partitions_store):
            subset = _same_dump(downstream_partitions_subset, upstream_partitions_def, dynamic_partitions_store)
        return UpstreamPartitionsResult(
            partitions_subset=subset, required_but_nonexistent_subset=upstream_partitions_def.empty_subset()
        )


def _same_dump(
    subset: PartitionsSubset, target: PartitionsDefinition, store: DynamicPartitionsStore | None
) -> PartitionsSubset:
    dumps = {dump_of(key) for key in subset.get_partition_keys()}
    keys = target.get_partition_keys(dynamic_partitions_store=store)
    return target.subset_with_partition_keys([key for key in keys if dump_of(key) in dumps])


def unregistered(
    instance: DagsterInstance, definition: dg.DynamicPartitionsDefinition, keys: Iterable[str]
) -> list[str]:
    """Those of `keys` that the instance does not know yet, sorted, without repetition."""
    name = str(definition.name)
    return sorted(set(keys) - set(instance.get_dynamic_partitions(name)))


def register(instance: DagsterInstance, shards: Iterable[str]) -> list[str]:
    """Add shards and their dumps as dynamic partitions; returns the shards that were new."""
    wanted = list(shards)
    new = unregistered(instance, SHARDS, wanted)
    if new:
        instance.add_dynamic_partitions(str(SHARDS.name), new)
    dumps = unregistered(instance, DUMPS, map(dump_of, wanted))
    if dumps:
        instance.add_dynamic_partitions(str(DUMPS.name), dumps)
    return new
