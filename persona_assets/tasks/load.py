"""The task files: the bundled ones and a user's own, all faults found before the first model call."""

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from persona_assets.errors import UsageError
from persona_assets.lake.catalog import view_names
from persona_assets.lake.schemas import ASSET_TABLES, EXPANDED_PERSONAS, EXTRACTED_PERSONAS, SUPPORT_TABLES
from persona_assets.lake.store import FOLDERS
from persona_assets.prompts import Template, load_template
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings, model_table
from persona_assets.tasks.table import task_table
from persona_assets.tasks.validity import bind

FILES = Path(__file__).parent / "files"


def load_tasks(settings: Settings) -> dict[str, Template]:
    """The bundled tasks and those of the folder `settings.tasks`, by name; each becomes an asset.

    Raises:
        UsageError: the folder is missing, or a file is not a usable task; the message names the file.
    """
    tasks = dict(_bundled()) if settings.tasks is None else _with_own(settings.tasks)
    assets = {*tasks, EXTRACTED_PERSONAS.name, EXPANDED_PERSONAS.name}
    if settings.models:
        _known(f"{settings.models}: asset", model_table(settings.models).assets, assets)
    _known("PERSONA_TARGETS: task", settings.targets, tasks)
    return tasks


def _known(where: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{where} {name} is unknown (known: {', '.join(sorted(known))})")


def _with_own(own: str) -> dict[str, Template]:
    tasks, found = dict(_bundled()), {name: FILES / f"{name}.yaml" for name in _bundled()}
    folder = Path(own)
    if not folder.is_dir():
        raise UsageError(f"PERSONA_TASKS: {folder} is not a folder of task files")
    for path in _paths(folder):
        task = _load(path)
        if task.name in found:
            raise UsageError(f"{path}: the task name {task.name} is taken by {found[task.name]}; choose another")
        tasks[task.name], found[task.name] = task, path
    return tasks


@cache
def _bundled() -> dict[str, Template]:
    return {task.name: task for task in map(_load, _paths(FILES))}


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
    try:
        task_table(task)
        bind(task)
        task.render({"persona": "", "language_name": "", "pick": 0})
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return task
