"""A person at the terminal talks with a character."""

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from persona_assets.chat import CHAT, Character, Talk, character_of
from persona_assets.cli.run import err, out
from persona_assets.engines.select import Engines
from persona_assets.errors import PersonaAssetsError, UsageError, did_you_mean
from persona_assets.graph import assets
from persona_assets.lake.format import open_lake
from persona_assets.prompts.scripts import THINKING, Said
from persona_assets.settings import Settings, model_table
from persona_assets.steps.model import Context
from persona_assets.view.terminal import say


def talk(
    settings: Settings,
    named: str,
    begin: Callable[[Character], Talk],
    system: str | None,
    log: Path | None,
    *,
    thoughts: bool,
) -> None:
    """Talk until the input ends, or with an empty line; `begin` opens the talk.

    Raises:
        UsageError: there is no such character or system, or the log cannot be written.
    """
    lake = open_lake(settings.lake)
    rows = lake.scan(assets(settings)["characters"].table).collect()
    found = begin(character_of(rows, named))
    own = _of_system(settings, system)
    engines, turns = Engines(lake), list[list[Said]]()
    context = Context(lake, own, engines, str(uuid.uuid4()))
    say(err, f"You talk with {found.character.name} as {found.visitor}; an empty line ends it.")
    try:
        for line in _lines(found.visitor):
            try:
                turns.append(found.say(context, line))
            except PersonaAssetsError as error:
                say(err, f"error: {error}")
                continue
            for one in turns[-1]:
                if thoughts or one["action"] != THINKING:
                    aside = " (thinking)" if one["action"] == THINKING else ""
                    say(out, f"{one['speaker']}{aside}: {one['text']}")
    finally:
        engines.close()
        if log and turns:
            model = system or own.for_asset(CHAT).model or own.engine
            with log.open("ab") as file:
                file.write(orjson.dumps(found.as_log(model, turns)) + b"\n")
            say(err, f"added to {log}")


def _of_system(settings: Settings, system: str | None) -> Settings:
    """The settings of the model that plays the character: that of PERSONA_MODELS with this name."""
    if system is None:
        return settings
    if settings.models is None:
        raise UsageError("--system names a model of the file PERSONA_MODELS, which is not set")
    known = model_table(settings.models).models
    if system not in known:
        raise UsageError(f"--system: no model {system} in PERSONA_MODELS; {did_you_mean(system, known)}")
    return settings.for_asset(CHAT, by={"id": system, **known[system]}).model_copy(update={"models": None})


def _lines(visitor: str) -> Iterator[str]:
    """What the person says, a line each; of a terminal after a prompt."""
    while True:
        if sys.stdin.isatty():
            say(out, f"{visitor}: ", end="")
        line = sys.stdin.readline()
        if not line.strip():
            return
        yield line.strip()
