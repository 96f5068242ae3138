"""What came of a data file that is named, a survey or a questionnaire: in the terminal, as JSON, as a page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import typer

from persona_assets.cli.run import out
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.graph import Asset, assets
from persona_assets.lake import Lake
from persona_assets.lake.format import open_lake
from persona_assets.settings import Settings
from persona_assets.view import blocks as view
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show


class Told(Protocol):
    """What there is to show of a file."""

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        ...


Outcome = TypeVar("Outcome", bound=Told)


def show_results(
    settings: Settings,
    kind: str,
    asset: str,
    name: str | None,
    outcome_of: Callable[[Lake, dict[str, Asset], str], Outcome],
    blocks: Callable[[Outcome], Sequence[view.Block]],
    page: Callable[[Outcome], view.Page],
    *,
    as_json: bool,
    html: Path | None,
    also: Sequence[str] = (),
    files: str = "",
    remedy: str = "",
) -> None:
    """Show what the file `name` came to, or without a name the files that there are.

    `kind` is what such a file is, whose table is `files`, by default `<kind>_files`; `asset` has its results, or
    one of `also`. `remedy` says what gives a file results.

    Raises:
        UsageError: there is no such file, or it has no results yet.
    """
    lake, graph = open_lake(settings.lake), assets(settings)
    source = graph[files or f"{kind}_files"].data
    assert source
    made = {key for one in (asset, *also) for key in lake.keys(graph[one].table)}
    known = sorted(source.look().sources)
    if name is None:
        if as_json:
            typer.echo(to_json([{kind: one, "results": one in made} for one in known]))
            return
        rows = [(view.Code(one), "has results" if one in made else "not asked yet") for one in known]
        show(out, view.Table(view.whole(kind, ""), rows))
        return
    if name not in made:
        if name not in known:
            raise UsageError(f"there is no {kind} {name}; {did_you_mean(name, known)}")
        asked = remedy or f"`PERSONA_DATASETS={asset} persona-assets run` asks it"
        raise UsageError(f"{name} has no results yet: {asked}")
    outcome = outcome_of(lake, graph, name)
    if html:
        html.write_text(render_page(page(outcome)), encoding="utf-8")
    if as_json:
        typer.echo(to_json(outcome.as_dict()))
        return
    show(out, *blocks(outcome))
    if html:
        say(out, f"written to {html}")
