"""Runs the graph from the command line, through the same Dagster instance that the UI shows."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from persona_assets.checks.gates import is_complete
from persona_assets.dedup.seals import sealed_dumps
from persona_assets.defs.jobs import DUMP_JOB, PUBLISH_JOB, SHARD_JOB
from persona_assets.defs.partitions import register
from persona_assets.defs.pipeline import LISTENER, SPENT, Listener, Pipeline, release_engines
from persona_assets.lake import Lake
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    RAW_DOCUMENTS,
)
from persona_assets.lake.store import dump_of
from persona_assets.steps.budget import BudgetReached, Spent

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the display says what matters


@dataclass(frozen=True)
class Materialised:
    """One asset partition that has been materialised, with its funnel."""

    asset: str
    partition: str
    given: int
    kept: int
    rejected: int
    calls_made: int
    calls_reused: int
    failed_checks: tuple[str, ...]
    run_id: str


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


def jobs_for(shards: list[str], sealed: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(job, partition) in the order in which they have to run: shards, then their dumps, then the shards again.

    Dumps that are `sealed` come first, in that sequence: a later one is compared with those before it.
    """
    dumps = {dump_of(shard) for shard in shards}
    dumps_in_order = [dump for dump in sealed if dump in dumps] + sorted(dumps.difference(sealed))
    return [
        *((SHARD_JOB, shard) for shard in shards),
        *((DUMP_JOB, dump) for dump in dumps_in_order),
        *((PUBLISH_JOB, shard) for shard in shards),
    ]


def materialise_shards(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    shards: list[str],
    listen: Listener,
    failures: list[str],
    *,
    again: bool = True,
) -> Iterator[Materialised]:
    """Materialise everything for `shards`, run by run; yields each asset partition when it is done.

    A run that fails does not stop the others: `failures` gets a line that names asset, partition and cause, and only
    what depends on it (its dump, and the dump's shards after it) is left out. Where survivors of a dump come out
    otherwise than its published shards have it, these are published anew as well. With `again` False the crawl files
    of shards that have their filtered personas are not read again. All runs share one budget; where it is
    reached, nothing further runs.
    """
    register(instance, shards)
    lake, spent = Pipeline().lake, Spent()
    broken: set[str] = set()
    judged: set[str] = set()

    def steps(jobs: Iterable[tuple[str, str]]) -> Iterator[Materialised]:
        for job, key in jobs:
            dump = key if job == DUMP_JOB else dump_of(key)
            if (job == SHARD_JOB and not again and _is_filtered(lake, key)) or (job != SHARD_JOB and dump in broken):
                continue
            result = _run(instance, definitions.resolve_job_def(job), key, listen, spent)
            failed = _failed_gates(result)
            for event in result.get_asset_materialization_events():
                if job == DUMP_JOB:
                    judged.add(str(event.partition))
                name = event.asset_key.to_user_string() if event.asset_key else ""
                yield _step(event, tuple(failed.get(name, ())), result.run_id)
            if not result.success:
                failures.append(_why(result, key, failed))
                if job != PUBLISH_JOB:
                    broken.add(dump)
                if _budget_reached(result):
                    return

    jobs = jobs_for(shards, sealed_dumps(lake))
    try:
        yield from steps(job for job in jobs if job[0] != PUBLISH_JOB)
        overtaken = [shard for shard in _overtaken(lake, judged) if shard not in shards]
        yield from steps((PUBLISH_JOB, shard) for shard in [*shards, *overtaken])
    finally:
        release_engines()


def _failed_gates(result: dg.ExecuteInProcessResult) -> dict[str, list[str]]:
    failed: dict[str, list[str]] = {}
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.blocking:
            failed.setdefault(evaluation.asset_key.to_user_string(), []).append(evaluation.check_name)
    return failed


def _is_filtered(lake: Lake, shard: str) -> bool:
    tables = (RAW_DOCUMENTS, EXTRACTED_PERSONAS, EXPANDED_PERSONAS, FILTERED_PERSONAS)
    return all(is_complete(lake, table, shard) for table in tables)


def _overtaken(lake: Lake, dumps: Collection[str]) -> list[str]:
    """The published shards of these dumps whose survivors are not those that were published."""
    published = [shard for shard in lake.keys(DEDUPED_PERSONAS) if dump_of(shard) in dumps]
    return [shard for shard in published if not is_complete(lake, DEDUPED_PERSONAS, shard)]


def _run(
    instance: dg.DagsterInstance, job: dg.JobDefinition, key: str, listen: Listener, spent: Spent
) -> dg.ExecuteInProcessResult:
    listening, spending = LISTENER.set(listen), SPENT.set(spent)
    try:
        return job.execute_in_process(instance=instance, partition_key=key, run_config=_QUIET, raise_on_error=False)
    finally:
        LISTENER.reset(listening)
        SPENT.reset(spending)


def _step(event: dg.DagsterEvent, failed_checks: tuple[str, ...], run_id: str) -> Materialised:
    materialization = event.step_materialization_data.materialization
    numbers = {name: value.value for name, value in materialization.metadata.items()}

    def number(name: str) -> int:
        value = numbers.get(name)
        return value if isinstance(value, int) else 0

    return Materialised(
        materialization.asset_key.to_user_string(),
        str(materialization.partition),
        number("in"),
        number("kept"),
        number("rejected"),
        number("calls made"),
        number("calls reused"),
        failed_checks,
        run_id,
    )


def _budget_reached(result: dg.ExecuteInProcessResult) -> bool:
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    causes = [error.cause or error for error in errors if error]
    return any(cause.cls_name == BudgetReached.__name__ for cause in causes)


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
