"""One asset per task file, bundled or in the folder `PERSONA_TASKS`."""

from collections.abc import Callable

from persona_assets.defs.damage import evaluate_ledger
from persona_assets.defs.factory import one, partitioned_asset
from persona_assets.prompts import Template
from persona_assets.settings import load_settings
from persona_assets.steps.runner import Context, Report
from persona_assets.tasks.step import load_tasks, run_task, task_table


def _runner(template: Template) -> Callable[[Context, str], Report]:
    def run(context: Context, shard: str) -> Report:
        return run_task(context, template, shard)

    return run


tasks = [
    partitioned_asset(
        task_table(template),
        one(_runner(template)),
        group="datasets",
        text=template.description,
        deps=["deduped_personas"],
        judge=evaluate_ledger,
        kinds=frozenset({"parquet", "openai"}),
    )
    for template in load_tasks(load_settings()).values()
]
