"""What `persona-assets migrate` prints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from persona_assets.cli.run import LIVE, LOG_EVERY_S, err, out
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.alone import alone
from persona_assets.lake.format import open_lake
from persona_assets.lake.heartbeat import Holder
from persona_assets.settings import Settings
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say

if TYPE_CHECKING:
    from persona_assets.defs.report import Reported
    from persona_assets.migrate import Migration
    from persona_assets.progress import Stages

SHOWN = 20  # partitions that the next run makes, named on a terminal


def show_migration(settings: Settings, *, only_report: bool, as_json: bool) -> None:
    """Migrate, tell Dagster what the lake holds, and say what was done."""
    from persona_assets.migrate import Migration, is_old, migrate

    done, was_old, lake = Migration(), False, Lake(settings.lake)
    if not lake.fs.exists(lake.root):
        raise UsageError(f"{settings.lake}: no such lake; name one with --lake or PERSONA_LAKE")
    with _progress() as told, alone(lake, "migration", "migrate", _tell):
        if not only_report:
            was_old = is_old(lake)
            done = migrate(lake, settings, told)
        reported = _report(settings, told)
    if as_json:
        value = {"lake": settings.lake, "was_old": was_old, **asdict(done), "dagster": asdict(reported)}
        typer.echo(to_json(value))
        return
    if not only_report:
        _show(settings, done, was_old)
    say(out, f"Dagster was told of {reported.told:,} partitions; {reported.known:,} it knew.")


def _report(settings: Settings, told: "Stages") -> "Reported":
    from persona_assets.defs.launch import project_instance
    from persona_assets.defs.report import report_lake
    from persona_assets.state import LakeState

    state = LakeState(open_lake(settings.lake), settings)
    with project_instance(Path.cwd()) as instance:
        return report_lake(instance, state, told)


def _show(settings: Settings, done: "Migration", was_old: bool) -> None:
    if not was_old and not done.parts:
        say(out, f"{settings.lake} is up to date; nothing was changed.")
    else:
        say(
            out,
            f"{sum(done.partitions.values()):,} partitions and {done.calls:,} calls brought up to date "
            f"in {done.seconds:,.1f} s.",
        )
    for note in done.notes:
        say(out, f"note: {note}")
    if done.not_done:
        say(out, f"{len(done.not_done):,} partitions were not whole; `persona-assets run` makes them again:")
    for one in done.not_done[:SHOWN]:
        say(out, f"  {one.asset} {one.partition}: {one.why}")
    if len(done.not_done) > SHOWN:
        say(out, f"  {len(done.not_done) - SHOWN:,} more; --json names them all")


def _tell(holder: Holder, seconds: float) -> None:
    if seconds < 1:
        say(err, f"waiting for another migration: {holder}")


@contextmanager
def _progress() -> "Iterator[Stages]":
    """A bar, or a log line every ten seconds where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    state = {"logged": time.monotonic()}
    with Progress(*columns, console=err, disable=not LIVE, transient=True) as bar:
        task = bar.add_task("", total=None)

        def told(stage: str, done: int, total: int | None) -> None:
            bar.update(task, description=stage, completed=done, total=total)
            if not LIVE and time.monotonic() - state["logged"] > LOG_EVERY_S:
                state["logged"] = time.monotonic()
                say(err, f"{stage}: {done:,} of {total or 0:,}")

        yield told
