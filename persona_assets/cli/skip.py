"""What `persona-assets skip` does: leaves shards out, lets them in again, lists them."""

from collections.abc import Sequence
from dataclasses import asdict

import typer

from persona_assets.cli.run import out
from persona_assets.crawl.arrival import move_to_late
from persona_assets.dedup.seals import sealed_shards
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.lake.format import open_lake
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.skipped import let_in, skip_shard, skipped_shards
from persona_assets.lake.store import dump_of
from persona_assets.settings import Settings
from persona_assets.view.blocks import Table, left
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show

KNOWN_SHOWN = 5


def leave_out(settings: Settings, shards: Sequence[str], reason: str) -> None:
    """Leave shards out; all of them, or none where one cannot be.

    Raises:
        UsageError: a shard is unknown.
        PersonaAssetsError: a shard's dump was sealed with it.
    """
    lake = open_lake(settings.lake)
    _check_known(lake, shards)
    sealed = sealed_shards(lake)
    for shard in shards:
        if shard in sealed.get(dump_of(shard), ()):
            raise PersonaAssetsError(
                f"shard {shard} cannot be left out: its dump {dump_of(shard)} is sealed with it, and what was "
                "published stays"
            )
    for shard in shards:
        skip_shard(lake, shard, reason)
        say(out, f"shard {shard} is left out: {reason}")
    say(out, f"`persona-assets run` goes on without {'it' if len(shards) == 1 else 'them'}")


def let_in_again(settings: Settings, shards: Sequence[str]) -> None:
    """Let shards in; those whose dump was sealed without them become shards of the next late dump.

    Raises:
        PersonaAssetsError: a shard is not left out, or was moved already.
    """
    lake = open_lake(settings.lake)
    left_out, sealed = skipped_shards(lake), sealed_shards(lake)
    for shard in shards:
        if shard not in left_out:
            raise PersonaAssetsError(f"shard {shard} is not left out")
        if left_out[shard].moved_to:
            raise PersonaAssetsError(f"shard {shard} stays left out: its files are in shard {left_out[shard].moved_to}")
    for shard in shards:
        if dump_of(shard) in sealed:
            late = move_to_late(lake, settings, shard, sealed)
            say(out, f"dump {dump_of(shard)} is sealed without shard {shard}: its files are in shard {late.shard} now")
        else:
            let_in(lake, shard)
            say(out, f"shard {shard} is let in again")
    say(out, "`persona-assets run` makes what is missing")


def show_skipped(settings: Settings, *, as_json: bool) -> None:
    """List what is left out, why, and since when."""
    found = skipped_shards(open_lake(settings.lake)).values()
    if as_json:
        typer.echo(to_json([asdict(one) for one in found]))
    elif not found:
        say(out, "no shard is left out")
    else:
        rows = [(one.shard, one.reason, one.created_at[:19].replace("T", " ")) for one in found]
        show(out, Table(left("shard", "reason", "since"), rows))


def _check_known(lake: Lake, shards: Sequence[str]) -> None:
    known = lake.records.all(SHARD_FILES.name)  # those whose manifest is damaged too
    for shard in shards:
        if shard not in known:
            some = [*known][:KNOWN_SHOWN]
            more = ", ..." if len(known) > len(some) else ""
            raise UsageError(f"shard {shard} is unknown (known: {', '.join(some) or 'none'}{more})")
