"""Makes partitions: one at a time, under a lease, and where asked only what is not as it would be made now."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from persona_assets.graph import Asset
from persona_assets.lake.leases import LeaseHeld, hold, left_behind
from persona_assets.lake.leftovers import clear_leftovers
from persona_assets.lake.records import Record
from persona_assets.ledger.claims import forget_the_dead
from persona_assets.plan.figures import PartitionPlan
from persona_assets.plan.needs import Needs
from persona_assets.plan.report import taken_by
from persona_assets.state import LakeState, State
from persona_assets.steps.model import AlreadyMade, Context, Report


@dataclass(frozen=True)
class Made:
    """A partition that was made, or that stands as it was.

    `report` says what making it did; it is None where nothing was made, and `note` says why. `held` is what making it
    would cost, where that is why.
    """

    key: str
    record: Record
    report: Report | None = None
    note: str = ""
    held: PartitionPlan | None = None


def make(context: Context, state: LakeState, asset: Asset, key: str, *, again: bool) -> Iterator[Made]:
    """Make a partition, or leave it where it is done already; with `again` make it in any case.

    Yields what was written: the partition, and for a dump those that were waiting before it or follow from it.

    Raises:
        PersonaAssetsError: it cannot be made; the message says why.
        EngineUnavailable, BudgetReached: no more calls; what was answered is kept.
    """
    lake = context.lake
    if not again and (stands := _stands(context, state, asset, key)):
        yield stands
        return
    try:
        for written, report in asset.run(replace(context, keeper=state), key):
            yield Made(written, lake.require(asset.table, written), report)
    except AlreadyMade as made:
        yield Made(key, lake.require(asset.table, key), note=str(made))


def sweep(context: Context, state: LakeState) -> int:
    """Remove what runs that were cut short have left; returns the partitions that were looked at.

    Of a partition only where nobody writes it now: the lease is taken for it, and not waited for. Of other files only
    what is nobody's any more.
    """
    lake, count = context.lake, 0
    clear_leftovers(lake)
    forget_the_dead(lake)
    for asset in state.assets.values():
        for key in sorted(lake.records.crowded(asset.name) | left_behind(lake, asset.name)):
            with suppress(LeaseHeld), hold(lake, asset.name, key, run_id=context.run_id, wait=0):
                lake.tidy(asset.table, key)
                count += 1
    return count


def _stands(context: Context, state: LakeState, asset: Asset, key: str) -> Made | None:
    """The partition as it is, where it is not to be made."""
    now = state.now()
    standing = now.of(asset.name, key)
    if standing.record is None:
        return None
    if standing.state is State.DONE:
        return Made(key, standing.record, note="as it would be made now; nothing was written")
    if held := Needs(context, now).held_back(standing):
        note = (
            f"stale ({standing.why}), and kept as it is: making it anew takes {taken_by([held])}; "
            "`persona-assets run --stale` makes it"
        )
        return Made(key, standing.record, note=note, held=held)
    return None
