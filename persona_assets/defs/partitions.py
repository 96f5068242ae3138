"""Shards and dumps as dynamic partitions, and how one maps to the other."""

import warnings
from collections.abc import Callable, Iterable
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


class _DumpMapping(dg.PartitionMapping):
    """A mapping between a shard and the dump it belongs to."""

    def validate_partition_mapping(
        self,
        upstream_partitions_def: PartitionsDefinition,
        downstream_partitions_def: PartitionsDefinition | None,
    ) -> None:
        """Any two partition sets of this project fit."""

    def _mapped(
        self,
        subset: PartitionsSubset,
        target: PartitionsDefinition,
        current_time: datetime | None,
        store: DynamicPartitionsStore | None,
        related: Callable[[str, set[str]], bool],
    ) -> PartitionsSubset:
        with partition_loading_context(current_time, store):
            keys = set(subset.get_partition_keys())
            return target.subset_with_partition_keys(
                [key for key in target.get_partition_keys(dynamic_partitions_store=store) if related(key, keys)]
            )


class ShardsOfDump(_DumpMapping):
    """Upstream by shard, downstream by dump: a dump depends on all its shards."""

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "A dump depends on every shard of that dump."

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset: PartitionsSubset,
        upstream_partitions_def: PartitionsDefinition,
        downstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> PartitionsSubset:
        """Dumps of these shards."""
        return self._mapped(
            upstream_partitions_subset,
            downstream_partitions_def,
            current_time,
            dynamic_partitions_store,
            lambda dump, shards: any(dump_of(shard) == dump for shard in shards),
        )

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> UpstreamPartitionsResult:
        """Shards of these dumps."""
        assert downstream_partitions_subset is not None
        subset = self._mapped(
            downstream_partitions_subset,
            upstream_partitions_def,
            current_time,
            dynamic_partitions_store,
            lambda shard, dumps: dump_of(shard) in dumps,
        )
        return UpstreamPartitionsResult(
            partitions_subset=subset, required_but_nonexistent_subset=upstream_partitions_def.empty_subset()
        )


class DumpOfShard(_DumpMapping):
    """Upstream by dump, downstream by shard: a shard depends on its dump."""

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "A shard depends on the dump it belongs to."

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset: PartitionsSubset,
        upstream_partitions_def: PartitionsDefinition,
        downstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> PartitionsSubset:
        """Shards of these dumps."""
        return self._mapped(
            upstream_partitions_subset,
            downstream_partitions_def,
            current_time,
            dynamic_partitions_store,
            lambda shard, dumps: dump_of(shard) in dumps,
        )

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> UpstreamPartitionsResult:
        """Dumps of these shards."""
        assert downstream_partitions_subset is not None
        subset = self._mapped(
            downstream_partitions_subset,
            upstream_partitions_def,
            current_time,
            dynamic_partitions_store,
            lambda dump, shards: any(dump_of(shard) == dump for shard in shards),
        )
        return UpstreamPartitionsResult(
            partitions_subset=subset, required_but_nonexistent_subset=upstream_partitions_def.empty_subset()
        )


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
