"""What `persona-assets plan` prints and writes."""

import json
from contextlib import nullcontext
from pathlib import Path

from rich.markup import escape
from rich.table import Table as RichTable

from persona_assets.cli.run import LIVE, err, out
from persona_assets.engines.select import Engines
from persona_assets.lake.format import open_lake
from persona_assets.plan import report
from persona_assets.plan.figures import Plan
from persona_assets.plan.plan import Scope, make_plan
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context


def show_plan(
    settings: Settings,
    scope: Scope,
    *,
    tokens_per_second: float | None,
    gpus: float | None,
    as_json: bool,
    html: Path | None,
) -> None:
    """Print what a run would take, as a table or as JSON, and write it as a page.

    Raises:
        PersonaAssetsError: there is no crawl file at all.
        UsageError: a dump, shard or asset is unknown, or settings of a model, task or tokenizer are wrong.
    """
    lake = open_lake(settings.lake)
    engines = Engines(lake)
    try:
        context = Context(lake, settings, engines, "plan")
        with err.status("looking up questions") if LIVE else nullcontext():
            plan = make_plan(context, scope, tokens_per_second=tokens_per_second, gpus=gpus)
    finally:
        engines.close()
    if html:
        html.write_text(report.html(plan), encoding="utf-8")
    if as_json:
        print(json.dumps(plan.as_dict(), ensure_ascii=False))  # noqa: T201 - JSON on stdout and nothing else
        return
    _print(plan, html)


def _print(plan: Plan, html: Path | None) -> None:
    out.print(_table(plan))
    unit, rows = report.bars(plan)
    wide = max((len(name) for name, _, _ in rows), default=0)
    right = max((len(value) for _, value, _ in rows), default=0)
    if rows:
        out.print(f"{unit} by asset", highlight=False)
    for name, value, length in rows:
        out.print(f"  {name:<{wide}}  {value:>{right}}  {'█' * length}", markup=False, highlight=False, soft_wrap=True)
    if not any(asset.todo for asset in plan.assets) and not plan.unknown:
        out.print("everything is materialised already; --all plans it again from the stored calls", highlight=False)
    held = report.held_lines(plan.held)
    for line in [*report.token_lines(plan), *(cap.line for cap in plan.caps), *held, *plan.notes]:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if html:
        out.print(f"written to {html}", markup=False, highlight=False, soft_wrap=True)


def _table(plan: Plan) -> RichTable:
    table = RichTable(title="Plan", title_justify="left", show_footer=True)
    for head, foot in zip(report.heads(plan), report.total_row(plan), strict=True):
        words = head in ("asset", "basis")
        table.add_column(head, foot, justify="left" if words else "right", no_wrap=words, overflow="fold")
    for row in report.table_rows(plan):
        table.add_row(*map(escape, row))
    return table
