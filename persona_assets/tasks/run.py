"""Writes a partition of a task."""

from collections.abc import Iterator, Sequence

from persona_assets.steps.runner import Context, Outcome, Report, StepRunner, write_outcomes
from persona_assets.tasks.step import TaskStep, questions_of_a_row
from persona_assets.tasks.target import outcomes_to_target, target_of


def run_task(context: Context, step: TaskStep, shard: str) -> Report:
    """Write a shard's samples of one task and what was set aside; `inputs` are questions, and rows not asked about.

    Raises:
        PersonaAssetsError: the rows that it reads are not there, or a benchmark cannot be read.
        EngineUnavailable: no answer can be had; what was answered is kept.
    """
    if step.benchmarks:
        _ = step.benchmarks.index  # so that what is wrong with a file is told before the first call
    asking = step.answering(context.lake, shard)
    runners = [StepRunner(one, context, shard) for one in asking]
    if (target := target_of(context.settings, step.template)) is not None:
        return write_outcomes(runners[0], outcomes_to_target(runners[0], step, target))
    for runner in runners[1:]:
        runner.report = runners[0].report
    return write_outcomes(runners[0], _outcomes(runners, step, asking, shard))


def _outcomes(
    runners: Sequence[StepRunner], step: TaskStep, several: Sequence[TaskStep], shard: str
) -> Iterator[Outcome]:
    """The outcomes of a partition; where systems answer, one after the other."""
    lake, template = runners[0].context.lake, step.template
    count = lake.row_count(step.read, shard)
    expected = None if step.selects or template.group else round(count * questions_of_a_row(template))
    for runner, asking in zip(runners, several, strict=True):
        each = round(expected / len(runners)) if expected is not None else None
        yield from runner.run(lambda asking=asking: asking.asks(lake, shard), each)  # type: ignore[misc]
    yield from step.not_selected(lake, shard)
