"""Runs the graph from the command line, through the same Dagster instance that the UI shows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from persona_assets.defs.jobs import DUMP_JOB, PUBLISH_JOB, SHARD_JOB
from persona_assets.defs.partitions import register
from persona_assets.defs.pipeline import LISTENER, Listener
from persona_assets.lake.store import dump_of

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the display says what matters


@dataclass(frozen=True)
class Step:
    """One asset partition that has been materialised, with its funnel."""

    asset: str
    partition: str
    given: int
    kept: int
    rejected: int
    calls_made: int
    calls_reused: int
    failed_checks: tuple[str, ...]


@contextmanager
def project_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, or the one that `dagster dev` started in `folder` uses."""
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
        return
    home = folder / ".dagster"
    home.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), config_dir=str(folder))) as instance:
        yield instance


def jobs_for(shards: list[str]) -> list[tuple[str, str]]:
    """(job, partition) in the order in which they have to run: shards, then their dumps, then the shards again."""
    dumps = sorted({dump_of(shard) for shard in shards})
    return [
        *((SHARD_JOB, shard) for shard in shards),
        *((DUMP_JOB, dump) for dump in dumps),
        *((PUBLISH_JOB, shard) for shard in shards),
    ]


def materialise_shards(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    shards: list[str],
    listen: Listener,
    failures: list[str],
) -> Iterator[Step]:
    """Materialise everything for `shards`, run by run; yields each asset partition when it is done.

    A run that fails does not stop the others: `failures` gets a line that names asset, partition and cause, and only
    what depends on it (its dump, and the dump's shards after it) is left out.
    """
    register(instance, shards)
    broken: set[str] = set()
    for job, key in jobs_for(shards):
        dump = key if job == DUMP_JOB else dump_of(key)
        if job != SHARD_JOB and dump in broken:
            continue
        result = _run(instance, definitions.resolve_job_def(job), key, listen)
        failed: dict[str, list[str]] = {}
        for evaluation in result.get_asset_check_evaluations():
            if not evaluation.passed and evaluation.blocking:
                failed.setdefault(evaluation.asset_key.to_user_string(), []).append(evaluation.check_name)
        for event in result.get_asset_materialization_events():
            yield _step(event, tuple(failed.get(event.asset_key.to_user_string(), ())) if event.asset_key else ())
        if not result.success:
            failures.append(_why(result, key, failed))
            if job != PUBLISH_JOB:
                broken.add(dump)


def _run(instance: dg.DagsterInstance, job: dg.JobDefinition, key: str, listen: Listener) -> dg.ExecuteInProcessResult:
    token = LISTENER.set(listen)
    try:
        return job.execute_in_process(instance=instance, partition_key=key, run_config=_QUIET, raise_on_error=False)
    finally:
        LISTENER.reset(token)


def _step(event: dg.DagsterEvent, failed_checks: tuple[str, ...]) -> Step:
    materialization = event.step_materialization_data.materialization
    numbers = {name: value.value for name, value in materialization.metadata.items()}

    def number(name: str) -> int:
        value = numbers.get(name)
        return value if isinstance(value, int) else 0

    return Step(
        materialization.asset_key.to_user_string(),
        str(materialization.partition),
        number("in"),
        number("kept"),
        number("rejected"),
        number("calls made"),
        number("calls reused"),
        failed_checks,
    )


def _why(result: dg.ExecuteInProcessResult, key: str, failed: dict[str, list[str]]) -> str:
    if failed:
        gates = "; ".join(f"{asset} {key}: {', '.join(names)}" for asset, names in failed.items())
        return f"gate not passed: {gates} (the failing rows are in the check's metadata in the UI)"
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error.cause or data.error if data.error else None
            message = error.message.strip() if error else "unknown error"
            return f"{event.step_key} {key}: {message}"
    return f"run {result.run_id} of {key} failed"
