"""`persona-assets check-pairs`: whether the answers of two poles differ in manner and agree in truth."""

from collections.abc import Sequence
from pathlib import Path

import typer

from persona_assets.cli.run import out, row_progress
from persona_assets.contrast.files import Places
from persona_assets.contrast.page import blocks, pairs_page
from persona_assets.contrast.report import check_pairs
from persona_assets.errors import UsageError
from persona_assets.files.places import blaming, check_places
from persona_assets.settings import Settings
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show


def show_pairs(
    settings: Settings,
    answers: Sequence[Path],
    dpo: Sequence[Path],
    *,
    language: str | None,
    sample: int,
    html: Path | None,
    as_json: bool,
) -> None:
    """Check two aligned files, or none, and files of preferences; print tables or JSON, and write a page.

    Raises:
        UsageError: not two files, none to check, or files that are not as they have to be.
        PersonaAssetsError: a file is damaged.
    """
    if len(answers) not in (0, 2):
        raise UsageError(f"{len(answers)} file of answers: name two, one for each pole, or preferences with --dpo FILE")
    places = ([Places(*answers)] if answers else []) + [Places(path) for path in dpo]
    if not places:
        raise UsageError("nothing to check: name two files of answers, or preferences with --dpo FILE")
    for path in (*answers, *dpo):
        check_places(path, ("--html", html, (".html",)))
    with row_progress() as progress:
        reports = [check_pairs(one, language, settings.encoder, sample=sample, progress=progress) for one in places]
    if html:
        with blaming(f"--html {html}"):
            html.write_text(render_page(pairs_page(reports)), encoding="utf-8")
    if as_json:
        typer.echo(to_json([one.as_dict() for one in reports]))
        return
    show(out, *blocks(reports))
    if html:
        say(out, f"written to {html}")
