"""What the command line prints: progress, funnels, audits, tables."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table as RichTable

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake, Table
from persona_assets.lake.format import open_lake
from persona_assets.lake.schemas import CALLS
from persona_assets.settings import Settings, load_settings
from persona_assets.steps.latency import Latency
from persona_assets.view.numbers import money

if TYPE_CHECKING:
    from persona_assets.dedup.file import Outcome
    from persona_assets.defs.launch import Materialised, RunOutcome, Wanted
    from persona_assets.progress import Progress as Told
    from persona_assets.progress import Stages
    from persona_assets.state import LakeState

LOG_EVERY_S = 10.0
OUTCOME_BAR = 24  # characters of the longest bar of the funnel
WAITING_SHOWN = 10  # partitions that wait, named at the end of a run
MANY_TO_ENCODE = 20_000  # texts that take minutes
WIDE = 140  # columns where the output is a file or a pipe, which has no width of its own
out = Console(width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, width=None if sys.stderr.isatty() else WIDE)
LIVE = sys.stderr.isatty()  # asked once: while a bar is shown, rich stands a proxy in for stderr


class Display:
    """A bar for the whole run and a line for the step in progress; log lines where there is no terminal."""

    def __init__(self, bar: Progress, total: int) -> None:
        """`total` asset partitions are to come."""
        self.bar = bar
        self.all = bar.add_task("asset partitions", total=total)
        self.now = bar.add_task("", total=None, visible=False)
        self.steps: list[Materialised] = []
        self.begun = 0
        self.started = time.monotonic()

    def listen(self, asset: str, partition: str) -> "Told":
        """Show a step that starts, which ends the one before it; returns what the new one's progress goes to."""
        from persona_assets.defs.pipeline import progress_line

        self.bar.advance(self.all, 1 if self.begun else 0)
        self.begun += 1
        self.bar.reset(self.now, total=None, visible=True, description=f"{asset} {partition}")
        state = {"done": 0, "total": 0, "started": time.monotonic(), "logged": time.monotonic()}

        def told(done: int, total: int | None = None, note: str = "") -> None:
            if total is not None:
                state.update(done=0, total=total, started=time.monotonic())
                self.bar.reset(self.now, total=total or None, description=f"{asset} {partition}", visible=True)
            state["done"] += done
            self.bar.advance(self.now, done)
            if note:
                self.bar.update(self.now, description=f"{asset} {partition}: {note}")
            if not LIVE and time.monotonic() - state["logged"] > LOG_EVERY_S:
                state["logged"] = time.monotonic()
                seconds = time.monotonic() - state["started"]
                line = progress_line(int(state["done"]), int(state["total"]), seconds, note)
                err.print(f"{asset} {partition}: {line}")

        return told

    def done(self, step: "Materialised") -> None:
        """Keep a finished step for the funnel."""
        self.steps.append(step)
        if not LIVE:
            seconds = time.monotonic() - self.started
            made = (
                f", {step.calls_made:,} calls made, {step.calls_reused:,} reused"
                if step.calls_made or step.calls_reused
                else ""
            )
            err.print(
                f"[{seconds:6.1f} s] {step.asset} {step.partition}: {step.given:,} in, {step.kept:,} kept, "
                f"{step.rejected:,} rejected{made}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


@contextmanager
def _display(total: int) -> Iterator[Display]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, disable=not LIVE) as bar:
        display = Display(bar, total)
        yield display
        bar.update(display.all, completed=total)
        bar.update(display.now, visible=False)


def show_run(
    settings: Settings, wanted: "Wanted", *, again: Collection[str] = (), max_tokens: int | None = None
) -> None:
    """Register what has arrived, make what is wanted, print the funnel, and what waits or was kept though stale.

    At a terminal it asks whether to make what is stale and takes calls, once all else is made. What was set aside for
    one of the reasons `again` is asked again before all else, with the limit `max_tokens` where that is given.

    Raises:
        PersonaAssetsError: there is no crawl file at all, or a step failed.
        UsageError: a dump or an asset is unknown, or nothing was set aside for these reasons.
    """
    from persona_assets.defs.launch import RunOutcome

    lake = open_lake(settings.lake)
    _register(lake, settings)
    if again:
        _ask_again(lake, settings, wanted, again, max_tokens)
    outcome = RunOutcome()
    _make(lake, settings, wanted, outcome)
    if outcome.held:
        _show_held(lake, settings, outcome)
    if outcome.held and not outcome.failures and _says_yes(lake, settings, wanted, len(outcome.held)):
        os.environ["PERSONA_STALE"] = "calls"  # the steps read the settings of the environment
        outcome = RunOutcome(spent=outcome.spent)
        _make(lake, load_settings(), wanted, outcome)
    _show_left(outcome)


def _ask_again(
    lake: Lake, settings: Settings, wanted: "Wanted", reasons: Collection[str], max_tokens: int | None
) -> None:
    """Note what is asked again, and say of how many questions that is."""
    from persona_assets.again import ask_again
    from persona_assets.state import LakeState

    state = LakeState(lake, settings)
    _check_wanted(state, wanted)
    for asset, marked in groupby(ask_again(state, reasons, wanted.covers, max_tokens), key=lambda one: one.asset):
        partitions = list(marked)
        questions = sum(one.questions for one in partitions)
        _say(f"asked again: {questions:,} of {asset}, in {len(partitions):,} partitions")


def _make(lake: Lake, settings: Settings, wanted: "Wanted", outcome: "RunOutcome") -> None:
    """Make what is wanted, and show it."""
    from persona_assets.definitions import defs
    from persona_assets.defs.launch import count, materialise, project_instance
    from persona_assets.state import LakeState

    state = LakeState(lake, settings)
    _check_wanted(state, wanted)
    for looked in state.sets.values():
        for warning in looked.warnings:
            _say(f"warning: {warning}")
    total, began = count(state, wanted), datetime.now(UTC)
    with project_instance(Path.cwd()) as instance, _display(total) as display:
        for step in materialise(instance, defs, wanted, display.listen, outcome, state):
            display.done(step)
    if display.steps:
        _show_steps(lake, display, outcome.runs, began)
    elif not (outcome.held or outcome.waiting or outcome.failures):
        err.print("everything is materialised already; --all does it again from the stored calls")


def _says_yes(lake: Lake, settings: Settings, wanted: "Wanted", partitions: int) -> bool:
    """Whether somebody at a terminal wants so many stale partitions to be made, told what that takes in all."""
    from persona_assets.engines.select import Engines
    from persona_assets.plan.plan import Scope, make_plan
    from persona_assets.plan.report import amount
    from persona_assets.steps.model import Context

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    engines = Engines(lake)
    try:
        context = Context(lake, settings.model_copy(update={"stale": "calls"}), engines, "run")
        plan = make_plan(context, Scope(dumps=wanted.dumps, assets=wanted.assets))
    finally:
        engines.close()
    which = "1 partition is stale and needs" if partitions == 1 else f"{partitions:,} partitions are stale and need"
    cost = f", about {money(plan.sum('cost'))} of money" if plan.priced else ""
    question = f"{which} {amount(plan.total('calls'))} calls, with what is made from them{cost}; make them now? [y/N] "
    out.print(question, end="", markup=False, highlight=False, soft_wrap=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _register(lake: Lake, settings: Settings) -> None:
    from persona_assets.crawl.arrival import plan_shards
    from persona_assets.dedup.seals import sealed_shards

    every = settings.model_copy(update={"max_shards_per_tick": 10**9})
    for warning in plan_shards(lake, every, time.time(), sealed_shards(lake)).warnings:
        _say(f"warning: {warning}")


def _check_wanted(state: "LakeState", wanted: "Wanted") -> None:
    if not (state.shards or any(looked.sources for looked in state.sets.values())):
        dumps = state.settings.dumps
        raise PersonaAssetsError(f"no crawl files under {dumps}: put them in {dumps}/<dump>/")
    for asset in wanted.assets:
        state.check_asset(asset)
    for dump in wanted.dumps:
        if dump not in state.dumps:
            raise UsageError(f"dump {dump} is unknown (known: {', '.join(state.dumps)})")


def _show_steps(lake: Lake, display: Display, runs: int, began: datetime) -> None:
    out.print(funnel(display.steps))
    made, reused = (sum(getattr(step, name) for step in display.steps) for name in ("calls_made", "calls_reused"))
    seconds = time.monotonic() - display.started
    if made:
        out.print(calls_table(lake, began, {step.run_id for step in display.steps}))
    out.print(f"{runs} runs in {seconds:.1f} s; {made:,} calls made, {reused:,} answered from the ledger.")


def _show_held(lake: Lake, settings: Settings, outcome: "RunOutcome") -> None:
    """What is stale and was kept, with what making it would take."""
    from persona_assets.engines.select import Engines
    from persona_assets.plan.needs import Needs
    from persona_assets.plan.report import held_lines
    from persona_assets.state import LakeState
    from persona_assets.steps.model import Context

    engines = Engines(lake)
    try:
        context = Context(lake, settings, engines, "run")
        for line in held_lines(Needs(context, LakeState(lake, settings)).priced(outcome.held)):
            _say(line)
    finally:
        engines.close()


def _show_left(outcome: "RunOutcome") -> None:
    """What waits, and what failed.

    Raises:
        PersonaAssetsError: a run failed.
    """
    for one in outcome.waiting[:WAITING_SHOWN]:
        _say(f"waiting: {one.asset} {one.key}: {one.why}")
    if len(outcome.waiting) > WAITING_SHOWN:
        _say(f"waiting: {len(outcome.waiting) - WAITING_SHOWN:,} more partitions; `persona-assets status` names them")
    if outcome.failures:
        for failure in outcome.failures[:-1]:
            _say(f"failed: {failure}")
        raise PersonaAssetsError(
            f"{outcome.failures[-1]} ({len(outcome.failures)} of {outcome.runs} runs failed; the others are done)"
        )


def _say(line: str) -> None:
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def calls_table(lake: Lake, since: datetime, runs: Collection[str]) -> RichTable:
    """The calls of these runs, stored since a moment, per asset: latency with a plot, and use."""
    from persona_assets.ledger.ledger import Ledger
    from persona_assets.steps.budget import parts_since

    ledger = Ledger(lake)
    columns = ["asset", "latency_s", "tokens_in", "tokens_out", "cost", "faults"]
    assets: dict[str, _Calls] = {}
    for path in parts_since(ledger, since):
        with suppress(FileNotFoundError, pl.exceptions.ComputeError):  # merged away since, or damaged
            calls = lake.scan_paths([path], CALLS).filter(pl.col("run_id").is_in(list(runs))).select(columns).collect()
            for (asset,), part in calls.group_by("asset"):
                assets.setdefault(str(asset), _Calls()).add(part)
    table = RichTable(title="Calls", title_justify="left")
    table.add_column("asset", no_wrap=True)
    for heading in ("calls", "p50 s", "p95 s", "tokens in", "tokens out", "cost"):
        table.add_column(heading, justify="right")
    table.add_column("latency, by doublings", no_wrap=True)
    table.add_column("failed tries")
    for asset, sums in sorted(assets.items()):
        table.add_row(
            asset,
            f"{sums.latency.count:,}",
            *(f"{sums.latency.quantile(share):,.3g}" for share in (0.5, 0.95)),
            f"{sums.tokens_in:,}",
            f"{sums.tokens_out:,}",
            f"{sums.cost:,.4f}",
            _spark(sums.latency.rows()),
            ", ".join(f"{reason} {count:,}" for reason, count in sums.faults.most_common()),
        )
    return table


@dataclass
class _Calls:
    """What the calls of one asset add up to."""

    latency: Latency = field(default_factory=Latency)
    faults: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    def add(self, calls: pl.DataFrame) -> None:
        self.latency.add(calls["latency_s"])
        self.faults.update(fault for text in calls["faults"] if text for fault in text.split(","))
        self.tokens_in += int(calls["tokens_in"].sum())
        self.tokens_out += int(calls["tokens_out"].sum())
        self.cost += float(calls["cost"].sum())


def _spark(rows: list[tuple[float, int]]) -> str:
    """A histogram in one line, between the ends of its range: `1 ms ▁▅█▂ 16 ms`."""
    if not rows:
        return ""
    most = max(count for _, count in rows)
    bars = "".join(" ▁▂▃▄▅▆▇█"[-(-8 * count // most)] for _, count in rows)
    return f"{_duration(rows[0][0] / 2)} {bars} {_duration(rows[-1][0])}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:,.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"


def funnel(steps: "list[Materialised]") -> RichTable:
    """Rows in, kept and rejected per asset, over all partitions of a run."""
    totals: dict[str, list[int]] = {}
    for step in steps:
        sums = totals.setdefault(step.asset, [0] * 6)
        for index, value in enumerate((1, step.given, step.kept, step.rejected, step.calls_made, step.calls_reused)):
            sums[index] += value
    table = RichTable(title="Funnel", title_justify="left")
    table.add_column("asset", no_wrap=True)
    for heading in ("partitions", "in", "kept", "rejected", "calls made", "reused"):
        table.add_column(heading, justify="right")
    table.add_column("kept and rejected", no_wrap=True)
    most = max((sums[2] + sums[3] for sums in totals.values()), default=0)
    for asset, sums in totals.items():
        kept, both = (round(OUTCOME_BAR * count / max(most, 1)) for count in (sums[2], sums[2] + sums[3]))
        table.add_row(asset, *(f"{value:,}" for value in sums), "█" * kept + "░" * (both - kept))
    return table


def show_demo_end(settings: Settings, tasks: list[Table]) -> None:
    """Why rows were set aside, one audited sample per task, and what to try next."""
    from persona_assets.lake.catalog import query
    from persona_assets.lineage.audit import audit
    from persona_assets.lineage.render import tree

    lake = open_lake(settings.lake)
    show_frame(query(lake, "SELECT * FROM rejects_by_reason", tasks), title="Set aside, and why")
    wrong = query(lake, "SELECT * FROM fate WHERE kept + rejected != 1", tasks).height
    out.print(f"Rows that are not in exactly one place at every asset: {wrong}")
    first = ""
    for table in [table for table in tasks if table.key == "sample_id"]:
        sample = query(lake, f"SELECT sample_id FROM {table.name} ORDER BY language, sample_id LIMIT 1", tasks)
        if sample.is_empty():
            if settings.tasks is None:
                raise PersonaAssetsError(f"the demo made no sample of {table.name}")
            out.print(f"{table.name}: no row was kept", highlight=False)
            continue
        first = first or sample.item()
        result = audit(lake, settings, sample.item())
        if table is tasks[0]:
            out.print(tree(result))
        passed = sum(1 for check in result.verifications if check.status == "ok")
        out.print(
            f"{table.name}: {sample.item()} traced to its page, {passed} links verified, "
            f"{'ok' if result.ok else 'FAILED'}",
            soft_wrap=True,
        )
        if not result.ok:
            raise PersonaAssetsError(f"the audit of {sample.item()} failed: persona-assets audit {sample.item()}")
    out.print(
        "\nNext:\n"
        "  make ui                                     the graph, its runs, checks and plots in a browser\n"
        f"  .venv/bin/persona-assets audit {first} --html audit.html\n"
        '  .venv/bin/persona-assets sql "SELECT * FROM duplicates"\n'
        "  put crawl files into dumps/<name>/ and turn on the sensors new_crawl_dumps and follow_new_data in the UI,\n"
        "  or run: .venv/bin/persona-assets run",
        highlight=False,
        soft_wrap=True,
    )


def show_audit(settings: Settings, row_id: str, *, as_json: bool, html: Path | None, with_descendants: bool) -> bool:
    """Print or write an audit; returns whether every verification passed."""
    from persona_assets.lineage.audit import audit
    from persona_assets.lineage.descendants import descendants
    from persona_assets.lineage.render import as_dict, tree
    from persona_assets.lineage.render import html as to_html

    lake = open_lake(settings.lake)
    result = audit(lake, settings, row_id)
    below = descendants(lake, settings, row_id) if with_descendants else []
    if html:
        html.write_text(to_html(result), encoding="utf-8")
    if as_json:
        value = as_dict(result) | ({"descendants": [list(row) for row in below]} if with_descendants else {})
        print(json.dumps(value, ensure_ascii=False, default=str))  # noqa: T201 - JSON on stdout and nothing else
    else:
        out.print(tree(result))
        for row in below:
            out.print("  ".join(escape(str(part)) for part in row), highlight=False)
        if html:
            out.print(f"written to {html}")
    return result.ok


@contextmanager
def row_progress(*, encoding: bool = False) -> Iterator["Stages"]:
    """Gives what is told of rows done, stage by stage: a bar, or log lines where there is no terminal.

    `encoding`: whether embeddings are made, which is said in advance where it takes long.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
    )
    state: dict[str, Any] = {"stage": "", "started": 0.0, "logged": time.monotonic(), "warned": not encoding}
    with Progress(*columns, console=err, disable=not LIVE, transient=True) as bar:
        rows = bar.add_task("", total=None, left="")

        def told(stage: str, done: int, total: int | None) -> None:
            now = time.monotonic()
            if stage != state["stage"]:
                state.update(stage=stage, started=now)
            if not state["warned"] and max(done, total or 0) > MANY_TO_ENCODE:
                state["warned"] = True
                err.print(
                    f"more than {MANY_TO_ENCODE:,} rows: embeddings run a few hundred texts a second on a CPU; "
                    "--no-semantic skips them",
                    highlight=False,
                    soft_wrap=True,
                )
            line = _rate_line(done, total, now - state["started"])
            bar.update(rows, description=f"{stage} rows", completed=done, total=total, left=line.partition(", ")[2])
            if not LIVE and now - state["logged"] > LOG_EVERY_S:
                state["logged"] = now
                err.print(f"{stage}: {line}", markup=False, highlight=False, soft_wrap=True)

        yield told


def _rate_line(done: int, total: int | None, seconds: float) -> str:
    """Such as `1,200 of 5,000 rows, 40.0/s, 95 s left`."""
    rate = done / seconds if seconds > 0 else 0.0
    of = f" of {total:,}" if total else ""
    left = f", {(total - done) / rate:,.0f} s left" if total and rate and total > done else ""
    return f"{done:,}{of} rows, {rate:,.1f}/s{left}"


def show_outcome(outcome: "Outcome", written: list[Path]) -> None:
    """What `dedup` did with a file."""
    from persona_assets.dedup.strands import encoders_told

    about = printable(f"{outcome.file}, column {outcome.column}")
    out.print(about, markup=False, highlight=False, soft_wrap=True)
    table = RichTable()
    table.add_column("")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    removed = {f"removed, {method}": count for method, count in outcome.removed.items() if count}
    aside = {f"set aside, {reason.replace('_', ' ')}": count for reason, count in outcome.set_aside.items()}
    for name, count in {"rows": outcome.rows, "kept": outcome.kept, **removed, **aside}.items():
        table.add_row(name, f"{count:,}", f"{count / outcome.rows:.2%}" if outcome.rows else "")
    out.print(table)
    facts = [f"{count:,} {stage} pairs within the threshold" for stage, count in outcome.near_pairs.items()]
    facts += [f"{stage} recall {share:.2%} (estimated)" for stage, share in outcome.estimated_recall.items()]
    facts += [f"{name}: {told}" for name, told in encoders_told(outcome.encoders)]
    if outcome.not_compared:
        facts.append(
            f"{outcome.not_compared:,} kept rows not compared by meaning: in scripts that no encoder knows "
            "(PERSONA_ENCODER names another)"
        )
    facts.append(f"{outcome.seconds:,.1f} s, peak memory {outcome.peak_memory_mb:,} MiB")
    out.print("; ".join(facts), highlight=False, soft_wrap=True)
    for place in written:
        out.print(f"written to {printable(str(place))}", markup=False, highlight=False, soft_wrap=True)


def show_frame(frame: pl.DataFrame, title: str = "") -> None:
    """A frame as a table of the terminal's width; text from the web is printed, never interpreted."""
    table = RichTable(title=title or None, title_justify="left")
    for name in frame.columns:
        table.add_column(escape(name), overflow="fold", justify="right" if frame.schema[name].is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*(escape(printable(value)) for value in row))
    out.print(table)


def printable(value: object) -> str:
    """A value as a text that a terminal shows as it is."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)
