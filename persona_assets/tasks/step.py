"""The one step behind every task: a question per surviving persona, one row per answer that passes the task's rules."""

from collections.abc import Iterator
from functools import cached_property

from persona_assets.ids import canonical_json, digest, make_id
from persona_assets.lake import Table
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.steps.runner import Ask, Context, Json, Parsed, Reject, Report, StepRunner, write_outcomes
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.sample import Sample
from persona_assets.tasks.table import OutOfRange, cells, task_table
from persona_assets.tasks.target import outcomes_to_target, target_of
from persona_assets.tasks.validity import Check, bind, verdict
from persona_assets.text.language import LANGUAGE_NAMES

__all__ = ["TaskStep", "load_tasks", "run_task", "task_table"]

ASKED_OF = ["persona_id", "document_id", "text", "language"]
_PICKS = 5040  # divisible by every length up to ten, and few enough for all forms to be kept


class TaskStep:
    """Asks a task's question of one persona. The templates' variables are:

    - `persona`: the persona's text
    - `language_name`: the English name of the language to answer in
    - `pick`: a whole number that follows from the persona's id, to spread personas evenly over a list in `params`
    """

    def __init__(self, template: Template) -> None:
        """Raises UsageError where the template is not a usable task."""
        self._template = template

    @cached_property
    def table(self) -> Table:
        """The table it writes."""
        return task_table(self._template)

    @property
    def template(self) -> Template:
        """What it asks."""
        return self._template

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The task's validity rules."""
        return bind(self._template)

    def variables(self, ask: Ask) -> dict[str, Json]:
        """The template's variables, from the persona's row alone."""
        language = ask.row["language"]
        return {
            "persona": ask.row["text"],
            "language_name": LANGUAGE_NAMES.get(language, language),
            "pick": int(digest(canonical_json(ask.row["persona_id"])), 16) % _PICKS,
        }

    def parse(self, ask: Ask, answer: Json) -> Parsed:
        """The sample of the answer, or a reject: the name of the first rule that it breaks, or `out_of_range`."""
        persona_ids = [ask.row["persona_id"]]
        sample = Sample(answer, ask.row["text"], ask.row["language"])
        try:
            columns = cells(self._template, answer)
        except OutOfRange as error:
            return Parsed(rejects=[Reject("out_of_range", str(error))])
        if found := verdict(self.checks, sample):
            return Parsed(rejects=[Reject(*found)])
        row = {
            "sample_id": make_id("smp", self._template.name, persona_ids, answer),
            "task": self._template.name,
            "persona_ids": persona_ids,
            "document_id": ask.row["document_id"],
            "language": ask.row["language"],
            **columns,
        }
        return Parsed(rows=[row])


def run_task(context: Context, template: Template, shard: str) -> Report:
    """Write a shard's samples of one task and what was set aside; `inputs` are personas.

    Raises:
        PersonaAssetsError: the shard's personas are not there.
        EngineUnavailable: no answer can be had; what was answered is kept.
    """
    expected = context.lake.row_count(DEDUPED_PERSONAS, shard)
    runner = StepRunner(TaskStep(template), context, shard)
    if (target := target_of(context.settings, template)) is not None:
        return write_outcomes(runner, outcomes_to_target(runner, target, ASKED_OF))
    return write_outcomes(runner, runner.run(lambda: task_asks(context, shard), expected))


def task_asks(context: Context, shard: str) -> Iterator[Ask]:
    """One question per persona, in the order of the partition; the personas are streamed."""
    for batch in context.lake.batches(DEDUPED_PERSONAS, shard):
        for row in batch.select(ASKED_OF).iter_rows(named=True):
            yield Ask(row, {"persona_id": row["persona_id"]})
