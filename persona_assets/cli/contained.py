"""`persona-assets contained`: what contains the programs here that models wrote."""

from typing import Any

import typer

from persona_assets.cli.run import out
from persona_assets.contained.mechanism import Containment, Mechanism, containment
from persona_assets.view import blocks as view
from persona_assets.view.json import to_json
from persona_assets.view.terminal import show

MEANS: dict[Mechanism, str] = {
    "landlock": "Programs run in processes of their own, which write no file, reach no network and start no process.",
    "bubblewrap": "Programs run the same way in a mount namespace, where they can also read the system's libraries.",
    "monty": "Programs are interpreted without packages; those that import sympy or numpy are set aside.",
    "none": "No program is run: what needs one is set aside as not_contained.",
}


def show_contained(*, as_json: bool) -> bool:
    """Print what contains programs here; whether anything does."""
    found = containment()
    if as_json:
        typer.echo(to_json(as_dict(found)))
    else:
        show(out, *blocks(found))
    return found.mechanism != "none"


def blocks(found: Containment) -> list[view.Block]:
    """The mechanism, what it means, and why nothing stronger is in its place."""
    lines: list[view.Block] = [view.Lines([f"{found.mechanism}: {MEANS[found.mechanism]}"])]
    return lines + ([view.Section("Why nothing stronger", [view.Lines(found.why)])] if found.why else [])


def as_dict(found: Containment) -> dict[str, Any]:
    """The same as JSON values."""
    return {"mechanism": found.mechanism, "means": MEANS[found.mechanism], "why_nothing_stronger": list(found.why)}
