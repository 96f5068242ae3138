"""Exact targets: a task that asks for N accepted rows asks more questions until its table has them.

Partitions take their share in their order: each may have what those before it leave. One that ran before another that
stands before it is made anew, from stored calls, where it then has too many rows.
"""

from collections.abc import Iterator
from math import ceil

import polars as pl

from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.skipped import skipped_shards
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Outcome, Parsed, Reject, StepRunner
from persona_assets.tasks.rows import Row, partition_of
from persona_assets.tasks.step import TaskStep

ORDER = 2  # version of the order in which rows are taken
REACHED = "target_reached"  # reason under which a question that was not asked is set aside
WAVE = 65_536  # most questions between two looks at how many rows are still missing
ROWS = 8192  # rows read at once
FIRST = 8  # rows that an answer with a list is taken to give before one is there
_HAS = "the table has the {:,} rows asked for"


def target_of(settings: Settings, task: Template) -> int | None:
    """The accepted rows that the task's table, all partitions together, is to have; None: as many as there are."""
    return settings.targets.get(task.name, task.target)


def place_of(key: str) -> tuple[str, int]:
    """Where a partition stands among all: shards by dump and index, others by their names."""
    dump, dot, index = key.rpartition(".")
    return (dump, int(index)) if dot and index.isdecimal() else (key, -1)


def room_for(lake: Lake, table: Table, target: int, key: str) -> int:
    """The accepted rows that a partition may have: what the partitions before it leave of the target.

    So which rows the table has does not hang on the order in which its partitions ran.
    """
    there = set(lake.keys(table)).difference(skipped_shards(lake))
    before = (one for one in there if place_of(one) < place_of(key))
    return max(0, target - sum(lake.row_count(table, one) for one in before))


class Waves:
    """The questions of a partition in an order drawn by task and row, as many at a time as are wanted.

    So tasks with targets don't all take the same rows.
    """

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
        table, name = self.step.read, self.step.template.name
        there = self._lake.scan(table, [self._shard])
        ids = there.select(table.key).collect()[table.key].to_list()
        ids.sort(key=lambda row_id: digest(canonical_json([name, row_id])))
        for start in range(0, len(ids), ROWS):
            drawn = pl.LazyFrame({table.key: ids[start : start + ROWS]}, {table.key: pl.String})
            frame = drawn.join(there, on=table.key, how="left", maintain_order="left").collect()
            frame = frame.select(there.collect_schema().names())
            yield from self.step.reading.rows(partition_of(self._lake, table, self._shard), frame)


def outcomes_to_target(runner: StepRunner, step: TaskStep, target: int) -> Iterator[Outcome]:
    """Outcomes of a shard's questions in the order drawn, until the table has `target` rows.

    Each wave asks as many as are missing, so that no call is made for a row too many; where an answer holds `many`
    rows, as many as would give them, going by the answers so far. Questions that are left are set aside as
    `target_reached`, as are rows of the last answers beyond what is wanted. `extra` of the report says how it ended.
    """
    lake, shard, extra = runner.context.lake, runner.shard, runner.report.extra
    lake.require(step.read, shard)
    missing = room_for(lake, step.table, target, shard)
    waves, each = Waves(step, lake, shard), _Each(step)
    while missing > 0 and (asks := waves.next(min(ceil(missing / each.rows), WAVE))):
        for outcome in runner.run(lambda asks=asks: iter(asks), len(asks)):  # type: ignore[misc]
            each.add(len(outcome.parsed.rows))
            yield _cut(outcome, missing, target)
            missing = max(0, missing - len(outcome.parsed.rows))
        yield from _taken(waves.not_selected)
    extra["target"] = target
    extra["ended"] = "questions ended" if missing > 0 else "target reached"
    extra["rows missing"] = max(0, missing)
    for ask in waves.rest():
        reject = Reject(REACHED, f"not asked: {_HAS.format(target)}")
        yield Outcome(ask, None, Parsed(rejects=[reject]))
        yield from _taken(waves.not_selected)
    yield from _taken(waves.not_selected)


class _Each:
    """How many rows an answer gives: one, or where it holds a list as many as on average so far."""

    def __init__(self, step: TaskStep) -> None:
        self._many, self._answers, self._rows = bool(step.template.many), 0, 0

    def add(self, rows: int) -> None:
        """Note what an answer gave."""
        self._answers, self._rows = self._answers + 1, self._rows + rows

    @property
    def rows(self) -> float:
        """The rows of an answer; before there is one, enough for a first wave to be small."""
        if not self._many:
            return 1
        return max(1, self._rows / self._answers) if self._answers else FIRST


def _cut(outcome: Outcome, missing: int, target: int) -> Outcome:
    """The same with no more rows than are missing."""
    beyond = outcome.parsed.rows[missing:]
    if beyond:
        del outcome.parsed.rows[missing:]
        outcome.parsed.rejects += [Reject(REACHED, _HAS.format(target), row["sample_id"]) for row in beyond]
    return outcome


def _taken(outcomes: list[Outcome]) -> Iterator[Outcome]:
    while outcomes:
        yield outcomes.pop()
