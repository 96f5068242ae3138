"""Writes a partition of a task."""

from collections.abc import Iterator

from persona_assets.steps.runner import Context, Outcome, Report, StepRunner, write_outcomes
from persona_assets.tasks.step import TaskStep, questions_of_a_row
from persona_assets.tasks.target import outcomes_to_target, target_of


def run_task(context: Context, step: TaskStep, shard: str) -> Report:
    """Write a shard's samples of one task and what was set aside; `inputs` are questions, and rows not asked about.

    Raises:
        PersonaAssetsError: the rows that it reads are not there.
        EngineUnavailable: no answer can be had; what was answered is kept.
    """
    runner = StepRunner(step, context, shard)
    if (target := target_of(context.settings, step.template)) is not None:
        return write_outcomes(runner, outcomes_to_target(runner, step, target))
    return write_outcomes(runner, _outcomes(runner, step, shard))


def _outcomes(runner: StepRunner, step: TaskStep, shard: str) -> Iterator[Outcome]:
    lake, template = runner.context.lake, step.template
    count = lake.row_count(step.read, shard)
    expected = None if step.selects or template.group else round(count * questions_of_a_row(template))
    yield from runner.run(lambda: step.asks(lake, shard), expected)
    yield from step.not_selected(lake, shard)
