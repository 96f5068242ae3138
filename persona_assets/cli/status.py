"""What `persona-assets status` prints and writes: how every partition stands, and what to do next."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from persona_assets.cli.run import out
from persona_assets.crawl.arrival import look
from persona_assets.engines.select import Engines
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.format import open_lake
from persona_assets.lake.records import AS_MADE_BY
from persona_assets.plan.needs import Needs
from persona_assets.plan.report import held_lines
from persona_assets.settings import Settings
from persona_assets.state import LakeState, Standing, State
from persona_assets.steps.model import Context
from persona_assets.view import blocks as view
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show

FEW_DUMPS = 4  # with a table each; more share one
KEYS_SHOWN = 3  # of a group
GROUPS_SHOWN = 40
DUMPS_SHOWN = 20  # that are not done, where there are many
_LOOKS: dict[State, view.Kind] = {  # in the order of a bar
    State.DONE: view.Kind("done", "green"),
    State.STALE: view.Kind("stale", "amber", "▓"),
    **{one: view.Kind(str(one), "blue", "░") for one in (State.MISSING, State.UNANSWERED, State.SHORT)},
    **{one: view.Kind(str(one), "red", "×") for one in (State.DAMAGED, State.FAILED)},
    State.WAITING: view.Kind("waiting", "grey", "·"),
    State.LEFT_OUT: view.Kind("left out", "none", " "),
}
_MADE = view.Kind("to be made", "blue", "░")
_SHOWN = (_LOOKS[State.DONE], _LOOKS[State.STALE], _MADE, _LOOKS[State.FAILED], _LOOKS[State.WAITING])


@dataclass
class Group:
    """Partitions of one asset that stand alike, for the same reason."""

    asset: str
    state: State
    why: str
    keys: list[str] = field(default_factory=list)

    @property
    def named(self) -> str:
        """A few keys, and how many more."""
        more = len(self.keys) - KEYS_SHOWN
        return ", ".join(self.keys[:KEYS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


@dataclass
class Status:
    """How the partitions of some dumps stand."""

    counts: dict[str, dict[str, Counter[State]]] = field(default_factory=dict)  # by dump or named set, and asset
    sets: tuple[str, ...] = ()  # which of these are named sets
    groups: list[Group] = field(default_factory=list)  # those that are not done
    warnings: list[str] = field(default_factory=list)  # of the folder of dumps
    arrived: int = 0  # shards that are not registered yet
    as_made_before: int = 0  # kept as an earlier version made them
    costs: list[str] | None = None  # what making stale ones anew takes; None: not asked
    next: list[str] = field(default_factory=list)

    def total(self, dumps: Iterable[str] | None = None) -> dict[str, Counter[State]]:
        """Counts by asset, over these dumps or all."""
        total: dict[str, Counter[State]] = {}
        for dump in self.counts if dumps is None else dumps:
            for asset, states in self.counts[dump].items():
                total.setdefault(asset, Counter()).update(states)
        return total

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be made."""
        return all(group.state is State.LEFT_OUT for group in self.groups)


def read_status(
    lake: Lake, settings: Settings, dumps: Sequence[str] = (), names: Sequence[str] = (), *, cost: bool = False
) -> Status:
    """Look at every partition of these dumps and assets (none: all). Reads only, and asks no engine.

    Raises:
        UsageError: a dump or an asset is unknown.
    """
    state = LakeState(lake, settings)
    _check(state, dumps, names)
    status = Status()
    groups: dict[tuple[str, State, str], Group] = {}
    of_assets = re.compile(rf"\b({'|'.join(map(re.escape, [*state.assets, 'shard_files']))})[ /](before )?[\w.-]+")
    stale: list[Standing] = []
    for asset in names or state.assets:
        for key in state.keys(asset):
            dump = state.batch_of(asset, key)
            if dumps and dump not in dumps:
                continue
            standing = state.of(asset, key)
            status.counts.setdefault(dump, {}).setdefault(asset, Counter())[standing.state] += 1
            if standing.state is State.DONE:
                status.as_made_before += AS_MADE_BY in standing.record.recipe if standing.record else 0
                continue
            if standing.state is State.STALE:
                stale.append(standing)
            why = _general(standing, of_assets)
            group = groups.setdefault((asset, standing.state, why), Group(asset, standing.state, standing.why))
            if group.keys:
                group.why = why  # what is said of one names others
            group.keys.append(key)
    status.groups = sorted(groups.values(), key=lambda group: list(State).index(group.state))
    every = settings.model_copy(update={"max_shards_per_tick": 10**9})
    arrival = look(lake, every, time.time(), {seal.dump: seal.shards for seal in state.seals})
    status.sets = tuple(state.sets)
    of_sets = [warning for looked in state.sets.values() for warning in looked.warnings]
    status.warnings, status.arrived = [*arrival.warnings, *of_sets], len(arrival.planned)
    if cost:
        status.costs = _costs(lake, settings, state, stale)
    status.next = _next(status, state)
    return status


def _check(state: LakeState, dumps: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        state.check_asset(name)
    known = set(state.dumps)
    for dump in dumps:
        if dump not in known:
            raise UsageError(f"dump {dump} is unknown (known: {', '.join(state.dumps) or 'none'})")


def _general(standing: Standing, of_assets: re.Pattern[str]) -> str:
    """Why a partition stands as it does, without keys, file names and numbers: what it has in common with others."""
    if standing.state in (State.LEFT_OUT, State.FAILED):
        return standing.why
    why = re.sub(r" and \d+ more\b", "", of_assets.sub(r"\1", standing.why))
    if standing.state is State.DAMAGED:
        why = re.sub(r"\S*/(_records)/\S+", "its record", why)
        why = re.sub(r"^rejected/\S+", "its file of rejects", why)
        why = re.sub(r"^\S+/\S+|^\w+\S*\.parquet", "its file", why)
        return re.sub(r"\d+ bytes, not \d+", "another size", why)
    if standing.state is State.UNANSWERED:
        return re.sub(r"^[\d,]+ ", "", why)
    return why


def _costs(lake: Lake, settings: Settings, state: LakeState, stale: Sequence[Standing]) -> list[str]:
    """What making the stale partitions anew takes, by asset and reason."""
    engines = Engines(lake)
    try:
        needs = Needs(Context(lake, settings, engines, "status"), state)
        plans = []
        free: Counter[str] = Counter()
        for standing in stale:
            plan = needs.calls(standing)
            if not plan.is_free:
                plan.why = standing.why
                plans.append(plan)
            else:
                free[standing.asset] += 1
        lines = held_lines(needs.priced(plans))
    finally:
        engines.close()
    return lines + [f"stale: {asset}: {count:,} partitions need no call" for asset, count in free.items()]


def _next(status: Status, state: LakeState) -> list[str]:
    """What to do, most pressing first."""
    said = []
    states = Counter({one: 0 for one in State})
    for group in status.groups:
        states[group.state] += len(group.keys)
    if status.arrived:
        said.append(f"persona-assets run: registers and reads what has arrived ({status.arrived:,} new shards)")
    made = sum(states[one] for one in (State.MISSING, State.DAMAGED, State.UNANSWERED, State.SHORT))
    if made:
        said.append(f"persona-assets run: makes {made:,} partitions, and what waits for them")
    asking = sum(len(one.keys) for one in status.groups if one.state is State.STALE and state.assets[one.asset].step)
    if states[State.STALE] > asking:
        said.append(f"persona-assets run: makes {states[State.STALE] - asking:,} stale partitions anew, without a call")
    if asking:
        told = "" if status.costs is not None else "; `persona-assets status --cost` tells which need calls"
        said.append(
            f"persona-assets run: makes those of {asking:,} stale partitions anew that stored calls answer; "
            f"`persona-assets run --stale` makes all of them{told}"
        )
    of_shards = any(
        group.state is State.FAILED and state.assets[group.asset].table.partition not in state.sets
        for group in status.groups
    )
    if states[State.FAILED]:
        said.append(
            f"mend the cause why {states[State.FAILED]:,} partitions did not pass their gates, then persona-assets run"
            + ("; or persona-assets skip SHARD --reason TEXT" if of_shards else "")
        )
    if not state.shards and not status.arrived:
        said.append(f"put crawl files into {state.settings.dumps}/<dump>/, then persona-assets run")
    return said


# Shown


def show_status(
    settings: Settings, dumps: Sequence[str], names: Sequence[str], *, cost: bool, as_json: bool, html: Path | None
) -> None:
    """Print how the lake stands, as tables or as JSON, and write it as a page.

    Raises:
        UsageError: a dump or an asset is unknown.
    """
    status = read_status(open_lake(settings.lake), settings, dumps, names, cost=cost)
    if html:
        html.write_text(render_page(page(status, settings.lake)), encoding="utf-8")
    if as_json:
        typer.echo(to_json(as_dict(status)))
        return
    show(out, *blocks(status, view.Lines(group_lines(status))))
    if status.counts and status.is_done and not status.arrived:
        say(out, "everything is done")
    if html:
        say(out, f"written to {html}")


def page(status: Status, lake: str) -> view.Page:
    """The same as a page, with more of the groups."""
    rows = [
        (str(group.state), group.asset, f"{len(group.keys):,}", group.named, group.why)
        for group in status.groups[: 10 * GROUPS_SHOWN]
    ]
    groups = view.Table([*view.whole("state", "asset"), *view.right("partitions"), *view.left("which", "why")], rows)
    done = "Everything is done." if status.is_done and not status.arrived else "Not everything is done."
    note = f"{done} Nothing was asked or written for this."
    return view.Page(("How the lake ", view.Code(lake), " stands"), note, blocks(status, groups))


def blocks(status: Status, groups: view.Block) -> list[view.Block]:
    """How the partitions stand, those that are not done (`groups`), and what to do."""
    found: list[view.Block] = [view.Section(title, [_table(total)]) for title, total in _parts(status)]
    if status.counts and not status.is_done:
        found.append(view.Legend(_SHOWN))
    if len(status.counts) > FEW_DUMPS:
        found.append(view.Lines(_dump_lines(status)))
    if status.groups:
        found.append(view.Section("Not done", [groups]))
    told = {
        "To know": [*(f"warning: {warning}" for warning in status.warnings), *(status.costs or ())],
        "Next": status.next,
    }
    if status.as_made_before:
        told["To know"].append(f"{status.as_made_before:,} partitions are kept as an earlier version made them.")
    return found + [view.Section(title, [view.Lines(lines)]) for title, lines in told.items() if lines]


def as_dict(status: Status) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "done": status.is_done and not status.arrived,
        "dumps": {name: counts for name, counts in status.counts.items() if name not in status.sets},
        "sets": {name: counts for name, counts in status.counts.items() if name in status.sets},
        "groups": [
            {
                "asset": group.asset,
                "state": str(group.state),
                "why": group.why,
                "partitions": len(group.keys),
                "keys": group.keys[:KEYS_SHOWN],
            }
            for group in status.groups
        ],
        "arrived": status.arrived,
        "as_made_before": status.as_made_before,
        "warnings": status.warnings,
        "costs": status.costs,
        "next": status.next,
    }


def group_lines(status: Status) -> list[str]:
    """The partitions that are not done, a line for each group of them."""
    lines = [
        f"{group.state}: {group.asset} {group.named}" + (f": {group.why}" if group.why else "")
        for group in status.groups[:GROUPS_SHOWN]
    ]
    if len(status.groups) > GROUPS_SHOWN:
        lines.append(f"and {len(status.groups) - GROUPS_SHOWN:,} more groups; --dump, --asset or --json names them")
    return lines


def _parts(status: Status) -> list[tuple[str, dict[str, Counter[State]]]]:
    """The tables: one for each dump where they are few, else one for all."""
    dumps = [name for name in status.counts if name not in status.sets]
    of_sets = [(f"set {name}", status.counts[name]) for name in status.counts if name in status.sets]
    if len(dumps) <= FEW_DUMPS:
        return [*((dump, status.counts[dump]) for dump in dumps), *of_sets]
    return [(f"{len(dumps):,} dumps", status.total(dumps)), *of_sets]


def _dump_lines(status: Status) -> list[str]:
    """The dumps in which something is left to be made, each with its counts."""
    lines = []
    for dump in (name for name in status.counts if name not in status.sets):
        states = sum(status.total([dump]).values(), Counter[State]())
        left = [f"{states[one]:,} {one}" for one in State if states[one] and one not in (State.DONE, State.LEFT_OUT)]
        if left:
            lines.append(f"dump {dump}: {', '.join(left)}")
    more = len(lines) - DUMPS_SHOWN
    return lines[:DUMPS_SHOWN] + ([f"and {more:,} more dumps that are not done"] if more > 0 else [])


def _columns(total: dict[str, Counter[State]]) -> list[State]:
    return [one for one in State if one is State.DONE or any(states[one] for states in total.values())]


def _table(total: dict[str, Counter[State]]) -> view.Table:
    columns = _columns(total)
    rows: list[list[view.Cell]] = [
        [asset, *(f"{states[one]:,}" if states[one] else "" for one in columns), shares(states)]
        for asset, states in total.items()
    ]
    return view.Table([*view.whole("asset"), *view.right(*map(str, columns)), *view.whole("shares")], rows)


def shares(states: Counter[State]) -> view.Bar:
    """Shares of the states: done, stale, to be made, waiting, left out."""
    return view.bar(states.total(), *((look, states[one]) for one, look in _LOOKS.items()))
