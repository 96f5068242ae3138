from pathlib import Path

from dagster import AssetKey, DagsterInstance, MultiPartitionKey

from persona_assets.defs.report import report_lake
from persona_assets.lake import Lake
from persona_assets.lake.records import GateOutcome
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.store import Making
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets_tests.rows import NOW, SHARD, document, put

FILE = {"dump": "d", "shard": SHARD, "folder": "d", "file": "f.wet", "bytes": 1, "created_at": NOW}
KEY = MultiPartitionKey({"dump": "d", "part": "0000"})


def state(lake: Lake) -> LakeState:
    return LakeState(lake, Settings(lake=lake.root))


def test_an_instance_is_told_once_what_the_lake_holds(lake: Lake, instance: DagsterInstance) -> None:
    put(lake, SHARD_FILES, FILE)
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    first, again = report_lake(instance, state(lake), print), report_lake(instance, state(lake))
    assert [(one.told, one.known) for one in (first, again)] == [(1, 0), (0, 1)]
    assert instance.get_materialized_partitions(AssetKey("raw_documents")) == {KEY}
    event = instance.get_latest_materialization_event(AssetKey("raw_documents"))
    assert event
    assert event.asset_materialization
    assert event.asset_materialization.metadata["dagster/partition_row_count"].value == 2
    assert instance.get_dynamic_partitions("dumps") == ["d"]
    assert instance.get_dynamic_partitions("parts") == ["0000"]


def test_other_rows_are_told_again_and_what_failed_its_gates_is_not(lake: Lake, instance: DagsterInstance) -> None:
    put(lake, SHARD_FILES, FILE)
    put(lake, RAW_DOCUMENTS, document("a"))
    report_lake(instance, state(lake))
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    failing = Making(judge=lambda _: [GateOutcome("ids_unique", 1, [])])
    with lake.partition(EXTRACTED_PERSONAS, SHARD, "run", failing):
        pass
    told = report_lake(instance, state(lake))
    assert (told.told, told.known) == (1, 0)
    assert Path(lake.root, "_records/extracted_personas").is_dir()
    assert not instance.get_materialized_partitions(AssetKey("extracted_personas"))
