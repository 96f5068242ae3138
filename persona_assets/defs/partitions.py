"""Shards as dump x part, named sets as they are, and how Dagster's keys map to the lake's.

The webserver and the daemon know only built-in partition mappings. Of these, two dimensions and a mapping to one of
them say "all shards of this dump, and back". So a combination without a shard is a partition too; it is made empty.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import dagster as dg

from persona_assets.lake.store import dump_of
from persona_assets.state import LakeState

DUMPS = dg.DynamicPartitionsDefinition(name="dumps")
PARTS = dg.DynamicPartitionsDefinition(name="parts")
SHARDS = dg.MultiPartitionsDefinition({"dump": DUMPS, "part": PARTS})
SAME_DUMP = dg.MultiToSingleDimensionPartitionMapping("dump")
ALL = dg.AllPartitionMapping()
MOST_COMBINATIONS = 20_000
_BAR = "|"  # between the keys of two dimensions, in Dagster


def definition_of(kind: str) -> dg.PartitionsDefinition[str]:
    """The partitions of a kind of the graph: shards, dumps, or a named set."""
    if kind == "shard":
        return SHARDS
    return DUMPS if kind == "dump" else dg.DynamicPartitionsDefinition(name=kind)


def mapping(kind: str, above: str, only: str | None = None) -> dg.PartitionMapping | None:
    """How partitions of a kind hang on those of the kind of what they read; None: on the one of the same key.

    `only` is the one partition above that all of them hang on.
    """
    if kind == above:
        return None
    if only is not None:
        return dg.SpecificPartitionsPartitionMapping([only])
    return SAME_DUMP if {kind, above} == {"shard", "dump"} else ALL


def lake_key(key: str) -> str:
    """`dump|part` as the lake's `<dump>.<index>`; a dump's key stays as it is."""
    return key.replace(_BAR, ".")


def partition_key(key: str) -> str:
    """The other way round. A dump's key holds no dot and no bar."""
    dump, dot, part = key.rpartition(".")
    return dg.MultiPartitionKey({"dump": dump, "part": part}) if dot else key


def too_many(shards: Iterable[str]) -> str:
    """What to do where combinations of dump and part are so many that pages and backfills of all of them get slow."""
    parts = Counter(map(dump_of, shards))
    largest = max(parts, key=lambda dump: parts[dump], default="")
    combinations = len(parts) * parts[largest]
    if combinations <= MOST_COMBINATIONS:
        return ""
    return (
        f"{len(parts):,} dumps of up to {parts[largest]:,} shards ({largest}) are {combinations:,} combinations, over "
        f"{MOST_COMBINATIONS:,}: the UI's pages get slow. Raise PERSONA_FILES_PER_SHARD before the next large dump"
    )


Sets = Mapping[str, Iterable[str]]  # the keys of named sets, by the name of the set


def additions(instance: dg.DagsterInstance, shards: Iterable[str], sets: Sets | None = None) -> dict[str, list[str]]:
    """The dumps, parts and keys of sets that the instance does not know yet, sorted, by the name of the definition."""
    known = list(shards)
    wanted: Sets = {
        str(DUMPS.name): {dump_of(shard) for shard in known},
        str(PARTS.name): {shard.rpartition(".")[2] for shard in known},
        **(sets or {}),
    }
    return {name: sorted(set(keys).difference(instance.get_dynamic_partitions(name))) for name, keys in wanted.items()}


def named_sets(state: LakeState) -> dict[str, list[str]]:
    """The keys that the data files of named sets give."""
    return {name: list(looked.sources) for name, looked in state.sets.items()}


def bundled_sets(state: LakeState) -> dict[str, list[str]]:
    """Those of the package's own data files that chosen datasets read: nobody has to put them there first."""
    own = state.own_sets
    return {name: keys for name, keys in named_sets(state).items() if name in state.chosen and name not in own}


def register(instance: dg.DagsterInstance, shards: Iterable[str], sets: Sets | None = None) -> None:
    """Make the instance know these shards and keys of sets."""
    for name, keys in additions(instance, shards, sets).items():
        if keys:
            instance.add_dynamic_partitions(name, keys)
