"""What the command line prints: progress, funnels, audits, tables."""

import os
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake, Table
from persona_assets.lake.format import open_lake
from persona_assets.lake.schemas import CALLS
from persona_assets.settings import Settings, load_settings
from persona_assets.steps.latency import Latency
from persona_assets.view import blocks as view
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.numbers import duration, money
from persona_assets.view.terminal import say, show

if TYPE_CHECKING:
    from persona_assets.contamination.file import Outcome as Overlaps
    from persona_assets.dedup.outcome import Outcome
    from persona_assets.defs.launch import Materialised, RunOutcome, Wanted
    from persona_assets.progress import Progress as Told
    from persona_assets.progress import Stages
    from persona_assets.state import LakeState

LOG_EVERY_S = 10.0
WAITING_SHOWN = 10  # partitions that wait, named at the end of a run
EXAMPLES_SHOWN = 5  # overlaps with benchmarks
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
                say(err, f"{asset} {partition}: {line}")

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
            say(
                err,
                f"[{seconds:6.1f} s] {step.asset} {step.partition}: {step.given:,} in, {step.kept:,} kept, "
                f"{step.rejected:,} rejected{made}",
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
    for asset, marked in groupby(
        ask_again(state, reasons, partial(wanted.covers, state), max_tokens), key=lambda one: one.asset
    ):
        partitions = list(marked)
        questions = sum(one.questions for one in partitions)
        say(err, f"asked again: {questions:,} of {asset}, in {len(partitions):,} partitions")


def _make(lake: Lake, settings: Settings, wanted: "Wanted", outcome: "RunOutcome") -> None:
    """Make what is wanted, and show it."""
    from persona_assets.definitions import defs
    from persona_assets.defs.launch import count, materialise, project_instance
    from persona_assets.state import LakeState

    state = LakeState(lake, settings)
    _check_wanted(state, wanted)
    for looked in state.sets.values():
        say(err, *(f"warning: {warning}" for warning in looked.warnings))
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
    say(out, question, end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _register(lake: Lake, settings: Settings) -> None:
    from persona_assets.crawl.arrival import plan_shards
    from persona_assets.dedup.seals import sealed_shards

    every = settings.model_copy(update={"max_shards_per_tick": 10**9})
    for warning in plan_shards(lake, every, time.time(), sealed_shards(lake)).warnings:
        say(err, f"warning: {warning}")


def _check_wanted(state: "LakeState", wanted: "Wanted") -> None:
    own = any(looked.sources for looked in state.own_sets.values())
    if not (state.shards or own or state.needs_no_crawl):
        dumps = state.settings.dumps
        raise PersonaAssetsError(f"no crawl files under {dumps}: put them in {dumps}/<dump>/")
    for asset in wanted.assets:
        state.check_asset(asset)
    for dump in wanted.dumps:
        if dump not in state.dumps:
            raise UsageError(f"dump {dump} is unknown (known: {', '.join(state.dumps)})")


def _show_steps(lake: Lake, display: Display, runs: int, began: datetime) -> None:
    show(out, funnel(display.steps))
    made, reused = (sum(getattr(step, name) for step in display.steps) for name in ("calls_made", "calls_reused"))
    seconds = time.monotonic() - display.started
    if made:
        show(out, calls_table(lake, began, {step.run_id for step in display.steps}))
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
        say(err, *held_lines(Needs(context, LakeState(lake, settings)).priced(outcome.held)))
    finally:
        engines.close()


def _show_left(outcome: "RunOutcome") -> None:
    """What waits, and what failed.

    Raises:
        PersonaAssetsError: a run failed.
    """
    say(err, *(f"waiting: {one.asset} {one.key}: {one.why}" for one in outcome.waiting[:WAITING_SHOWN]))
    if len(outcome.waiting) > WAITING_SHOWN:
        more = len(outcome.waiting) - WAITING_SHOWN
        say(err, f"waiting: {more:,} more partitions; `persona-assets status` names them")
    if outcome.failures:
        say(err, *(f"failed: {failure}" for failure in outcome.failures[:-1]))
        raise PersonaAssetsError(
            f"{outcome.failures[-1]} ({len(outcome.failures)} of {outcome.runs} runs failed; the others are done)"
        )


def calls_table(lake: Lake, since: datetime, runs: Collection[str]) -> view.Section:
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
    rows = [
        (
            asset,
            f"{sums.latency.count:,}",
            *(f"{sums.latency.quantile(share):,.3g}" for share in (0.5, 0.95)),
            f"{sums.tokens_in:,}",
            f"{sums.tokens_out:,}",
            f"{sums.cost:,.4f}",
            _spark(sums.latency.rows()),
            ", ".join(f"{reason} {count:,}" for reason, count in sums.faults.most_common()),
        )
        for asset, sums in sorted(assets.items())
    ]
    figures = view.right("calls", "p50 s", "p95 s", "tokens in", "tokens out", "cost")
    heads = [*view.whole("asset"), *figures, *view.whole("latency, by doublings"), *view.left("failed tries")]
    return view.Section("Calls", [view.Table(heads, rows)])


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
    return f"{duration(rows[0][0] / 2)} {bars} {duration(rows[-1][0])}"


def funnel(steps: "list[Materialised]") -> view.Section:
    """Rows in, kept and rejected per asset, over all partitions of a run."""
    totals: dict[str, list[int]] = {}
    seconds: dict[str, float] = {}
    for step in steps:
        seconds[step.asset] = seconds.get(step.asset, 0.0) + step.seconds
        sums = totals.setdefault(step.asset, [0] * 6)
        for index, value in enumerate((1, step.given, step.kept, step.rejected, step.calls_made, step.calls_reused)):
            sums[index] += value
    most = max((sums[2] + sums[3] for sums in totals.values()), default=0)
    rows: list[list[view.Cell]] = [
        [
            asset,
            *(f"{value:,}" for value in sums),
            f"{seconds[asset]:,.1f}",
            view.bar(most, (_KEPT, sums[2]), (_REJECTED, sums[3])),
        ]
        for asset, sums in totals.items()
    ]
    counts = view.right("partitions", "in", "kept", "rejected", "calls made", "reused", "seconds")
    return view.Section("Funnel", [view.Table([*view.whole("asset"), *counts, *view.whole("kept and rejected")], rows)])


_KEPT, _REJECTED = view.Kind("kept", "green"), view.Kind("rejected", "red", "░")


def show_demo_end(settings: Settings, tasks: list[Table]) -> None:
    """Why rows were set aside, one audited sample per task, and what to try next."""
    from persona_assets.lake.catalog import query
    from persona_assets.lineage.audit import audits
    from persona_assets.lineage.render import tree

    lake = open_lake(settings.lake)
    show_frame(query(lake, "SELECT * FROM rejects_by_reason", tasks), title="Set aside, and why")
    wrong = query(lake, "SELECT * FROM fate WHERE kept + rejected != 1", tasks).height
    out.print(f"Rows that are not in exactly one place at every asset: {wrong}")
    samples = dict(_samples(lake, tasks))
    first = ""
    for result, what in zip(audits(lake, settings, samples), samples.values(), strict=True):
        of_page = result.root.row.get("document_id") is not None
        if of_page and not first:
            first = result.row_id
            out.print(tree(result))
        passed = sum(1 for check in result.verifications if check.status == "ok")
        where = "its page" if of_page else "its data file"
        out.print(
            f"{what}: {result.row_id} traced to {where}, {passed} links verified, {'ok' if result.ok else 'FAILED'}",
            soft_wrap=True,
        )
        if not result.ok:
            raise PersonaAssetsError(f"the audit of {result.row_id} failed: persona-assets audit {result.row_id}")
    _show_results_and_export(lake, settings)
    out.print(
        "\nNext:\n"
        "  make ui                                     the graph, its runs, checks and plots in a browser\n"
        f"  .venv/bin/persona-assets audit {first} --html audit.html\n"
        '  .venv/bin/persona-assets sql "SELECT * FROM duplicates"\n'
        "  .venv/bin/persona-assets quality --html quality.html\n"
        "  .venv/bin/persona-assets survey bus-fare --html survey.html\n"
        "  .venv/bin/persona-assets questionnaire everyday --html questionnaire.html\n"
        "  .venv/bin/persona-assets evaluation tiny\n"
        "  .venv/bin/persona-assets export instruction_answers --format chatml --out answers\n"
        "  put crawl files into dumps/<name>/ and turn on the sensors new_crawl_dumps and follow_new_data in the UI,\n"
        "  or run: .venv/bin/persona-assets run",
        highlight=False,
        soft_wrap=True,
    )


def _show_results_and_export(lake: Lake, settings: Settings) -> None:
    """What surveys, questionnaires and recipes of the demo came to, and preference pairs as a folder."""
    from persona_assets.cli.evaluation import evaluation_of
    from persona_assets.evaluation.conclusions import conclusions
    from persona_assets.evaluation.page import evaluation_page
    from persona_assets.export.folder import export
    from persona_assets.export.rows import Export
    from persona_assets.graph import assets
    from persona_assets.questionnaires.page import types_shown
    from persona_assets.surveys.page import OFFLINE, results_shown

    graph = assets(settings)
    results = (("Survey ", "survey_results", results_shown), ("Types by ", "questionnaire_types", types_shown))
    for title, asset, shown in results:
        for name in lake.keys(graph[asset].table):
            show(out, view.Section((title, view.Code(name)), shown(lake.read(graph[asset].table, name))))
            say(out, OFFLINE)
    for name in lake.keys(graph["evaluation"].table):
        found, page = evaluation_of(lake, graph, name), Path(f"{settings.lake}-export") / f"evaluation-{name}.html"
        said = [*conclusions(found.rows), *(line for _, chart in found.charts[:1] for line in chart.lines)]
        if "://" not in settings.lake:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(render_page(evaluation_page(found)), encoding="utf-8")
            said.append(f"with plots and examples: {page}")
        show(out, view.Section(("Evaluation of ", view.Code(name)), [view.Lines(said)]))
    if lake.keys(graph["preference_pairs"].table) and "://" not in settings.lake:
        folder = Path(f"{settings.lake}-export") / "preference_pairs"
        try:
            export(lake, graph, Export("preference_pairs", folder, "dpo"), again=True)
        except UsageError as error:  # it has other rows than those of today
            say(out, str(error))
        else:
            say(out, f"preference_pairs as DPO pairs, with their card, for `datasets` and TRL: {folder}/")


def _samples(lake: Lake, tasks: list[Table]) -> Iterator[tuple[str, str]]:
    """A sample of each dataset, of each mode where it has some, with what it is one of."""
    from persona_assets.lake.catalog import query

    names = [table.name for table in tasks if table.key == "sample_id"]
    found = query(
        lake,
        "SELECT task, mode, arg_min(sample_id, (language, sample_id)) AS sample_id FROM samples GROUP BY ALL "
        "ORDER BY mode DESC",
        tasks,
    )
    for name in names:
        rows = found.filter(pl.col("task") == name)
        if rows.is_empty():
            out.print(f"{name}: no row was kept", highlight=False)
        for _, mode, sample in rows.iter_rows():
            yield sample, f"{name} {mode or ''}".strip()


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
        typer.echo(to_json(value))
    else:
        out.print(tree(result))
        say(out, *("  ".join(map(str, row)) for row in below))
        if html:
            say(out, f"written to {html}")
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
                say(err, f"{stage}: {line}")

        yield told


def _rate_line(done: int, total: int | None, seconds: float) -> str:
    """Such as `1,200 of 5,000 rows, 40.0/s, 95 s left`."""
    rate = done / seconds if seconds > 0 else 0.0
    of = f" of {total:,}" if total else ""
    left = f", {(total - done) / rate:,.0f} s left" if total and rate and total > done else ""
    return f"{done:,}{of} rows, {rate:,.1f}/s{left}"


def show_outcome(outcome: "Outcome", written: list[Path]) -> None:
    """What `dedup` did with a file."""
    from persona_assets.dedup.report import facts, summary

    about = f"{outcome.file}, column {outcome.column}"
    places = view.Lines([f"written to {place}" for place in written])
    show(out, view.Lines([about]), *summary(outcome), view.facts(facts(outcome)), places)


def show_overlaps(outcome: "Overlaps", written: list[Path]) -> None:
    """What `decontaminate` did with a file."""
    from persona_assets.contamination.report import facts, summary

    about = f"{outcome.file}, column {outcome.column}"
    examples = [f"row {one.row}: {one.detail}" for one in outcome.examples[:EXAMPLES_SHOWN]]
    more = outcome.contaminated - len(examples)
    examples += [f"and {more:,} more rows: --report FILE.jsonl names them all"] if more > 0 else []
    places = view.Lines([*examples, *(f"written to {place}" for place in written)])
    show(out, view.Lines([about]), *summary(outcome), view.facts(facts(outcome)), places)


def show_frame(frame: pl.DataFrame, title: str = "") -> None:
    """A frame as a table of the terminal's width."""
    heads = [view.Head(name, right=frame.schema[name].is_numeric()) for name in frame.columns]
    rows = [["" if value is None else str(value) for value in row] for row in frame.iter_rows()]
    show(out, view.Section(title, [view.Table(heads, rows)]))
