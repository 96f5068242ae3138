"""What `persona-assets plan` prints and writes."""

from contextlib import nullcontext
from pathlib import Path

import typer

from persona_assets.cli.run import LIVE, err, out
from persona_assets.engines.select import Engines
from persona_assets.lake.format import open_lake
from persona_assets.plan import report
from persona_assets.plan.plan import Scope, make_plan
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show


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
        html.write_text(render_page(report.page(plan)), encoding="utf-8")
    if as_json:
        typer.echo(to_json(plan.as_dict()))
        return
    show(out, *report.blocks(plan))
    if html:
        say(out, f"written to {html}")
