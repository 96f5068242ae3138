"""`persona-assets quality`: measures the datasets of a lake and shows them."""

from collections.abc import Sequence
from pathlib import Path

import typer

from persona_assets.cli.run import err, out
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.lake.format import open_lake
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.store import dump_of
from persona_assets.quality.page import blocks, report_page
from persona_assets.quality.report import measure
from persona_assets.quality.rows import datasets_of
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets as steps_of
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show


def show_quality(
    settings: Settings, dumps: Sequence[str], names: Sequence[str], *, as_json: bool, html: Path | None
) -> None:
    """Measure, then print tables or JSON, and write a page.

    Raises:
        UsageError: a dump or dataset is unknown.
    """
    lake = open_lake(settings.lake)
    datasets = datasets_of(steps_of(settings))
    for name in names:
        if name not in datasets:
            raise UsageError(f"there is no dataset of texts {name}; {did_you_mean(name, datasets)}")
    known = {dump_of(key) for key in lake.keys(SHARD_FILES)}
    for dump in dumps:
        if dump not in known:
            raise UsageError(f"there is no dump {dump}; {did_you_mean(dump, known)}")
    chosen = {name: texts for name, texts in datasets.items() if not names or name in names}
    with err.status("measuring") as status:
        done: dict[str, int] = {}

        def tell(dataset: str, rows: int) -> None:
            done[dataset] = done.get(dataset, 0) + rows
            status.update(f"{dataset}: {done[dataset]:,} rows measured")

        report = measure(lake, settings, chosen, dumps, tell)
    if html:
        html.write_text(render_page(report_page(report, settings.lake)), encoding="utf-8")
    if as_json:
        typer.echo(to_json(report.as_dict()))
        return
    show(out, *blocks(report))
    if html:
        say(out, f"written to {html}")
