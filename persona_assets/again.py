"""Asks questions again whose answers were set aside: notes in the lake which, and any run makes them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from persona_assets.engines.base import FINAL_FAULTS
from persona_assets.errors import UsageError
from persona_assets.graph import Asset
from persona_assets.lake import Lake
from persona_assets.lake.records import Record
from persona_assets.ledger.asked_again import Again, AskedAgain, made_with
from persona_assets.ledger.ledger import Ledger
from persona_assets.state import LakeState

Covers = Callable[[str, str], bool]  # whether a command speaks of a partition, by asset and key


@dataclass(frozen=True, slots=True)
class Marked:
    """A partition some of whose questions are asked again by the next run; `questions` were set aside."""

    asset: str
    key: str
    questions: int


def ask_again(
    state: LakeState, reasons: Collection[str], covers: Covers, max_tokens: int | None = None
) -> list[Marked]:
    """Have the questions asked again whose answers were set aside for one of these reasons.

    `max_tokens` is the limit of the new answers, where it is to be another. What was marked before and not been made
    since stays as it was marked, so a command that was cut off is given once more.

    Raises:
        UsageError: nothing was set aside so; the message names the reasons that there are.
    """
    lake, found = state.lake, []
    for asset, record in _partitions(state, covers):
        if not any(record.reasons.get(reason) for reason in reasons):
            continue
        aside = _set_aside(lake, asset, record, reasons)
        if aside.height:
            _mark(lake, asset, record, reasons, aside, max_tokens)
            found.append(Marked(asset.name, record.partition, aside["row_id"].n_unique()))
    if not found:
        there = _reasons(state, covers)
        raise UsageError(
            f"no answer was set aside as {' or '.join(sorted(reasons))}; "
            + (f"there are: {', '.join(f'{name} {count:,}' for name, count in there.most_common())}" if there else "")
        )
    return found


def _partitions(state: LakeState, covers: Covers) -> Iterator[tuple[Asset, Record]]:
    """The partitions that were made by asking a model."""
    for asset in state.assets.values():
        for key in state.keys(asset.name) if asset.step else ():
            record = state.of(asset.name, key).record if covers(asset.name, key) else None
            if record is not None:
                yield asset, record


def _set_aside(lake: Lake, asset: Asset, record: Record, reasons: Collection[str]) -> pl.DataFrame:
    """`row_id` and `call_id` of what was set aside so by an answer, or as nothing was answered."""
    by_an_answer = pl.col("call_id").is_not_null() | pl.col("reason").is_in(list(FINAL_FAULTS))
    rejects = lake.rejects(asset.table, record.partition).filter(pl.col("reason").is_in(list(reasons)) & by_an_answer)
    return rejects.select("row_id", "call_id").collect()


def _mark(
    lake: Lake, asset: Asset, record: Record, reasons: Collection[str], aside: pl.DataFrame, max_tokens: int | None
) -> None:
    """Note which calls of a partition are asked again, beside those that were noted before and wait to be made."""
    asked = AskedAgain(lake)
    assert asset.step is not None
    bases = _bases(Ledger(lake), asset.step.template.name, aside["call_id"].drop_nulls().unique().to_list())
    own, anywhere = asked.of(asset.name, record.partition), asked.of(asset.name)
    # Another partition that shares a prompt shares what stands in its place.
    calls = {
        call: anywhere.get(call) or Again(asking + 1, max_tokens or 0)
        for call, asking in bases.items()
        if call not in own
    }
    waits = made_with(record.made_from) != asked.times(asset.name).get(record.partition, 0)
    if calls or not waits:
        asked.add(asset.name, record.partition, reasons, calls)


def _bases(ledger: Ledger, template: str, call_ids: list[str]) -> dict[str, int]:
    """The calls that ask the questions of these, which may be repairs, each with the number of its asking."""

    def look_up(ids: list[str]) -> dict[str, tuple[dict[str, Any], int]]:
        found = ledger.answers(template, ids, ("call_id", "fill", "sampling"))
        return {
            call_id: (orjson.loads(fill), int(orjson.loads(sampling).get("asking", 0)))
            for call_id, fill, sampling in found.iter_rows()
        }

    found = look_up(call_ids)
    repaired = [fill["repair_of"] for fill, _ in found.values() if "repair_of" in fill]
    return {
        call_id: asking for call_id, (fill, asking) in (found | look_up(repaired)).items() if "repair_of" not in fill
    }


def _reasons(state: LakeState, covers: Covers) -> Counter[str]:
    """The reasons for which answers were set aside, with their counts."""
    there: Counter[str] = Counter()
    for _, record in _partitions(state, covers):
        there.update(record.reasons)
    return there
