"""The event log of a checkout's own Dagster instance."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from persona_assets.defs.launch import project_instance
from persona_assets.defs.storage import EventLog

ROOT = Path(__file__).parents[2]


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="page")])
def page() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True)])


def test_dagsters_own_storage_reads_what_the_instance_of_a_checkout_has_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with project_instance(tmp_path) as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        run_id = dg.materialize([page], instance=instance).run_id
        stored = [entry.dagster_event for entry in instance.all_logs(run_id)]
        with dg.DagsterInstance.ephemeral() as other:
            plain = SqliteEventLogStorage(str(tmp_path / ".dagster" / "storage" / "history" / "runs"))
            plain.register_instance(other)
            assert [entry.dagster_event for entry in plain.get_logs_for_run(run_id)] == stored
        kinds = {event.event_type for event in stored if event}
        assert {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION} <= kinds

        instance.wipe()
        assert instance.all_logs(run_id) == []
        assert instance.get_latest_materialization_event(page.key) is None
