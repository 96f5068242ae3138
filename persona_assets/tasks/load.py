"""The task files: the bundled ones and a user's own, all faults found before the first model call."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from persona_assets.errors import UsageError
from persona_assets.lake import Table
from persona_assets.lake.catalog import view_names
from persona_assets.lake.schemas import ASSET_TABLES, EXPANDED_PERSONAS, EXTRACTED_PERSONAS, SUPPORT_TABLES
from persona_assets.lake.store import FOLDERS
from persona_assets.prompts import Template, load_template
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings, model_table
from persona_assets.steps.model import Ask
from persona_assets.tasks.step import TaskStep

FILES = Path(__file__).parent / "files"


def load_tasks(settings: Settings) -> dict[str, Template]:
    """The bundled tasks and those of the folder `settings.tasks`, by name, each after those that it reads.

    Raises:
        UsageError: the folder is missing, or a file is not a usable task; the message names the file.
    """
    return dict(_loaded(settings).templates)


def task_steps(settings: Settings) -> dict[str, TaskStep]:
    """The steps of the tasks, by name, in the same order; each becomes an asset.

    Raises:
        UsageError: as `load_tasks`.
    """
    return dict(_loaded(settings).steps)


@dataclass(frozen=True)
class _Loaded:
    templates: dict[str, Template]
    steps: dict[str, TaskStep]


def _loaded(settings: Settings) -> _Loaded:
    bundled = _bundled()
    loaded = bundled if settings.tasks is None else _stepped(*_with_own(settings.tasks, bundled.templates))
    tasks = loaded.templates
    if settings.models:
        turns = {f"{name}.{turn}" for name, task in tasks.items() for turn in task.turn_names if task.turns}
        assets = {*tasks, *turns, EXTRACTED_PERSONAS.name, EXPANDED_PERSONAS.name}
        _known(f"{settings.models}: asset", model_table(settings.models).assets, assets)
    _known("PERSONA_TARGETS: task", settings.targets, tasks)
    return loaded


def _known(where: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{where} {name} is unknown (known: {', '.join(sorted(known))})")


def _stepped(tasks: Mapping[str, Template], files: Mapping[str, Path]) -> _Loaded:
    """The tasks in an order in which each comes after what it reads, with their steps."""
    tables = dict(ASSET_TABLES)
    steps: dict[str, TaskStep] = {}
    waiting = dict(tasks)
    while waiting:
        ready = [name for name, task in waiting.items() if task.reads not in waiting]
        if not ready:
            name = min(waiting)
            raise UsageError(f"{files[name]}: {name} reads {tasks[name].reads}, which in turn comes after it")
        for name in ready:
            task = waiting.pop(name)
            try:
                steps[name] = _checked(task, tables)
            except UsageError as error:
                raise UsageError(f"{files[name]}: {error}") from error
            tables[name] = steps[name].table
    return _Loaded({name: tasks[name] for name in steps}, steps)


def _checked(task: Template, tables: Mapping[str, Table]) -> TaskStep:
    """The step of a task whose prompts, columns and rules are all there."""
    step = TaskStep(task, dict(tables))
    _ = step.table, step.checks, step.reading
    language = task.over["language"].values[0] if "language" in task.over else "en"
    row: dict[str, Any] = {name: "" for name in step.reading.columns} | {"language": language}
    row |= {name: dict.fromkeys(columns, "") for name, (_, columns) in step.reading.ancestors.items()}
    fill = {"over": {name: next(iter(over.by_label)) for name, over in task.over.items()}}
    ask = Ask(row, fill if task.over else {}, 0, ((task.reads, ""),))
    for number, turn in enumerate(step.turns):
        turn.render(step.variables(ask, [_like(before.response_schema) for before in step.turns[:number]]))
    return step


def _like(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Something of the form that a schema gives, for a trial rendering."""
    kind = schema.get("type")
    kind = next(iter(kind), None) if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _like(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_like(schema.get("items", {}))]
    return {"integer": 1, "number": 1.0, "boolean": True}.get(str(kind), "")


def _with_own(own: str, bundled: Mapping[str, Template]) -> tuple[dict[str, Template], dict[str, Path]]:
    tasks, found = dict(bundled), {name: FILES / f"{name}.yaml" for name in bundled}
    folder = Path(own)
    if not folder.is_dir():
        raise UsageError(f"PERSONA_TASKS: {folder} is not a folder of task files")
    for path in _paths(folder):
        task = _load(path)
        if task.name in found:
            raise UsageError(f"{path}: the task name {task.name} is taken by {found[task.name]}; choose another")
        tasks[task.name], found[task.name] = task, path
    return tasks, found


@cache
def _bundled() -> _Loaded:
    tasks = {task.name: task for task in map(_load, _paths(FILES))}
    return _stepped(tasks, {name: FILES / f"{name}.yaml" for name in tasks})


def _paths(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


@cache
def _reserved() -> frozenset[str]:
    """Names that a task's table or its calls would share with something else."""
    prompts = (path.stem for path in PROMPTS.glob("*.yaml"))
    return frozenset({*ASSET_TABLES, *SUPPORT_TABLES, *view_names(), *FOLDERS, *prompts})


def _load(path: Path) -> Template:
    task = load_template(path)
    if task.kind != "task":
        raise UsageError(f"{path}: kind is {task.kind}, but only `kind: task` can become a dataset")
    if task.name in _reserved():
        raise UsageError(f"{path}: the name {task.name} belongs to the project itself; choose another")
    return task
