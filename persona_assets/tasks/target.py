"""Exact targets: a task that asks for N accepted rows asks more questions until its table has them."""

from collections.abc import Iterator

import polars as pl

from persona_assets.lake import Lake, Table
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Outcome, Parsed, Reject, StepRunner
from persona_assets.tasks.rows import Row, partition_of
from persona_assets.tasks.step import TaskStep

REACHED = "target_reached"  # reason under which a question that was not asked is set aside
WAVE = 65_536  # most questions between two looks at how many rows are still missing
ROWS = 8192  # rows read at once


def target_of(settings: Settings, task: Template) -> int | None:
    """The accepted rows that the task's table, all partitions together, is to have; None: as many as there are."""
    return settings.targets.get(task.name, task.target)


def missing_rows(lake: Lake, table: Table, target: int, without: str | None = None) -> int:
    """How many accepted rows the table lacks; the partition `without` counts as empty."""
    return max(0, target - sum(lake.row_count(table, key) for key in lake.keys(table) if key != without))


def is_short(lake: Lake, table: Table, shard: str, target: int | None) -> bool:
    """Whether a partition left questions unasked whose rows the table now lacks, as its target was raised."""
    aside = lake.rejects(table, shard).filter(pl.col("reason") == REACHED).limit(1).collect()
    return not aside.is_empty() and (target is None or missing_rows(lake, table, target) > 0)


class Waves:
    """The questions of a partition in the order of the ids of their rows, digests, as many at a time as are wanted."""

    def __init__(self, step: TaskStep, lake: Lake, shard: str) -> None:
        """Nothing is read yet."""
        self.step, self._lake, self._shard = step, lake, shard
        self._asks: list[Ask] = []
        self._rows = self._in_order()
        self.not_selected: list[Outcome] = []  # of rows met, that nothing is asked about; the caller takes them out

    def next(self, count: int) -> list[Ask]:
        """The next `count` questions; fewer where there are no more."""
        while len(self._asks) < count and (row := next(self._rows, None)) is not None:
            asks = self.step.asks_of(row)
            self._asks += asks
            if not asks:
                self.not_selected.append(self.step.set_aside(row))
        found, self._asks = self._asks[:count], self._asks[count:]
        return found

    def rest(self) -> Iterator[Ask]:
        """Every question that is left."""
        while found := self.next(ROWS):
            yield from found

    def _in_order(self) -> Iterator[Row]:
        table, last = self.step.read, ""
        while True:
            behind = self._lake.scan(table, [self._shard]).filter(pl.col(table.key) > last)
            frame = behind.bottom_k(ROWS, by=table.key).sort(table.key).collect(engine="streaming")
            if frame.is_empty():
                return
            yield from self.step.reading.rows(partition_of(self._lake, table, self._shard), frame)
            last = frame[table.key][-1]


def outcomes_to_target(runner: StepRunner, step: TaskStep, target: int) -> Iterator[Outcome]:
    """Outcomes of a shard's questions in the order of their rows' ids, until the table has `target` rows.

    Each wave asks as many as are missing, so that no call is made for a row too many; where an answer holds `many`
    rows, the last one may give more than were wanted. Questions that are left are set aside as `target_reached`.
    `extra` of the report says how it ended.
    """
    lake, shard, extra = runner.context.lake, runner.shard, runner.report.extra
    lake.require(step.read, shard)
    missing = missing_rows(lake, step.table, target, without=shard)
    waves = Waves(step, lake, shard)
    while missing > 0 and (asks := waves.next(min(missing, WAVE))):
        for outcome in runner.run(lambda asks=asks: iter(asks), len(asks)):  # type: ignore[misc]
            missing -= len(outcome.parsed.rows)
            yield outcome
        yield from _taken(waves.not_selected)
    extra["target"] = target
    extra["ended"] = "questions ended" if missing > 0 else "target reached"
    extra["rows missing"] = max(0, missing)
    for ask in waves.rest():
        reject = Reject(REACHED, f"not asked: the table has the {target:,} rows asked for")
        yield Outcome(ask, None, Parsed(rejects=[reject]))
        yield from _taken(waves.not_selected)
    yield from _taken(waves.not_selected)


def _taken(outcomes: list[Outcome]) -> Iterator[Outcome]:
    while outcomes:
        yield outcomes.pop()
