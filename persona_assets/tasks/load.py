"""The task files: the bundled ones and a user's own, all faults found before the first model call."""

import importlib.util
import json
import re
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from persona_assets.contamination.benchmarks import Benchmarks, benchmarks_as, benchmarks_in
from persona_assets.errors import Collected, Faults, UsageError, WrongKey, did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Table
from persona_assets.lake.catalog import view_names
from persona_assets.lake.schemas import ASSET_TABLES, EXPANDED_PERSONAS, EXTRACTED_PERSONAS, SUPPORT_TABLES
from persona_assets.lake.sqlfiles import SQL
from persona_assets.lake.store import FOLDERS
from persona_assets.prompts import Template, load_template
from persona_assets.prompts.load import files_named, files_of, wrong
from persona_assets.prompts.template import PROMPTS, Reads
from persona_assets.quality.assets import quality_of
from persona_assets.rules.registry import Rule, with_own
from persona_assets.settings import Settings, model_table
from persona_assets.tasks.data_files import DataStep, Stamp, stamp
from persona_assets.tasks.demonstrations import check_demonstrations
from persona_assets.tasks.derived import DataRows, Derived, DerivedStep
from persona_assets.tasks.judges.rubrics import JUDGE, Judged, judging
from persona_assets.tasks.modes import DEMONSTRATION_PERSONAS, DEMONSTRATIONS, EVERY_TASK, as_asked
from persona_assets.tasks.poles import POLES, check_types, types_of
from persona_assets.tasks.set_checks import OwnCheck
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.systems import MODELS, systems_of
from persona_assets.tasks.trial import try_out
from persona_assets.tasks.views import CHOSEN, SELECTED, selecting, views_in

FILES = Path(__file__).parent / "files"
_OURS = (FILES, JUDGE.parent)
Dataset = TaskStep | DerivedStep | DataStep
_KINDS = frozenset({"shard", "dump", "dumps", "parts"})  # of partitions, which a named set cannot be called
_NAME = re.compile(r"[a-z][a-z0-9_]{1,60}")


def load_tasks(settings: Settings) -> dict[str, Template]:
    """The bundled tasks and those of the folder `settings.tasks`, by name, each after those that it reads.

    Raises:
        UsageError: the folder is missing, or a file is not a usable task; the message names the file.
    """
    return dict(_loaded(settings).templates)


def datasets(settings: Settings) -> dict[str, Dataset]:
    """The steps of data files, tasks and functions, by name, each after those that it reads; all become assets.

    Raises:
        UsageError: as `load_tasks`.
    """
    return dict(_loaded(settings).steps)


@dataclass(frozen=True)
class _Loaded:
    templates: dict[str, Template]
    steps: dict[str, Dataset]


def _loaded(settings: Settings) -> _Loaded:
    benchmarks = benchmarks_in(settings.benchmarks) if settings.benchmarks else None
    asked = canonical_json(
        {
            "modes": settings.modes,
            "shares": settings.shares,
            "attempts": settings.attempts,
            "selected": settings.selected,
            "params": settings.params,
            "systems": {task: systems_of(settings, task, lambda: _trained(settings)) for task in settings.systems},
            "judged": {"rows": settings.judged, "pairs": settings.compared, "votes": settings.judge_votes},
            "views": _views_as_they_are(settings),
            "profiles": _profiles_as_they_are(settings),
            "measured": settings.measured,
            "benchmarks": [str(benchmarks.folder), dict(benchmarks.files)] if benchmarks else None,
        }
    )
    own = Path(settings.tasks) if settings.tasks is not None else None
    loaded = _bundled(asked) if own is None else _own(own, asked, _as_it_is(own))
    tasks = loaded.templates
    if settings.models:
        turns = {f"{name}.{turn}" for name, task in tasks.items() for turn in _voices(task)}
        assets = {*tasks, *turns, EXTRACTED_PERSONAS.name, EXPANDED_PERSONAS.name}
        _known(f"{settings.models}: asset", model_table(settings.models).assets, assets)
    _known("PERSONA_TARGETS: task", settings.targets, tasks)
    for name in settings.targets:
        if tasks[name].group:
            raise UsageError(f"PERSONA_TARGETS: {name} is asked about groups of rows, which have no target")
        if tasks[name].answered_by:
            raise UsageError(f"PERSONA_TARGETS: {name} is answered by whom its rows name, all of them")
    _known("PERSONA_DATASETS: dataset", set(settings.datasets) - {"all"}, loaded.steps)
    _known("PERSONA_MODES: task", set(settings.modes) - {EVERY_TASK}, tasks)
    _known("PERSONA_SHARES: task", {name.partition(".")[0] for name in settings.shares} - {EVERY_TASK}, tasks)
    _known("PERSONA_ATTEMPTS: task", settings.attempts, tasks)
    _known("PERSONA_SELECTED: task", settings.selected, tasks)
    _known("PERSONA_SYSTEMS: task", settings.systems, tasks)
    if settings.types:
        poles = loaded.steps[POLES.name]
        assert isinstance(poles, DataStep)
        check_types(settings.types, types_of(poles.all_rows())["type"], "PERSONA_TYPES")
    _known("PERSONA_PARAMS: task", {name.partition(".")[0] for name in settings.params}, tasks)
    for step in loaded.steps.values():
        if isinstance(step, TaskStep):
            _check_systems(step, settings)
    _check_demonstrations(loaded.steps, settings)
    return loaded


@lru_cache(maxsize=16)
def _own(folder: Path, asked: bytes, as_it_is: tuple[tuple[Path, Stamp], ...]) -> _Loaded:
    """The bundled tasks and those of a folder, as it is now: a process asks for them many times."""
    told = json.loads(asked)
    declared, files = _asked(*_with_own(folder), told, folder)
    rules = with_own("sample", _own_rules(folder))
    return _stepped(
        declared, files, _own_checks(folder), rules, _held_to(told), instead=folder, elsewhere=_elsewhere(told)
    )


def _as_it_is(folder: Path) -> tuple[tuple[Path, Stamp], ...]:
    """The files of a folder of tasks, and those that its files name, each with what tells whether it has changed.

    Raises:
        UsageError: there is no such folder, or a Python file of it is wrong.
    """
    if not folder.is_dir():
        raise UsageError(f"PERSONA_TASKS: {folder} is not a folder of task files")
    files = {path for path in folder.rglob("*") if path.is_file()} | _named(folder)
    return tuple((path, stamp(path)) for path in sorted(files))


def _views_as_they_are(settings: Settings) -> list[Any] | None:
    """The folder of views, with the digests of its files."""
    if settings.views is None:
        return None
    folder = Path(settings.views)
    return [str(folder), [digest(path.read_bytes()) for path in sorted(folder.glob("*.y*ml"))]]


def _profiles_as_they_are(settings: Settings) -> list[Any] | None:
    """The folder of profiles, with the digests of its casts, which say what is looked at."""
    if settings.profiles is None:
        return None
    folder = Path(settings.profiles).absolute()
    if not folder.is_dir():
        raise UsageError(f"PERSONA_PROFILES: {settings.profiles} is not a folder of profiles")
    return [str(folder), [digest(path.read_bytes()) for path in sorted(folder.glob("*.y*ml"))]]


def _elsewhere(asked: Mapping[str, Any]) -> dict[str, tuple[Path, str]]:
    """Folders that settings name in place of those of data files, each with a pattern of its files, by the table."""
    casts = {"casts": (Path(asked["profiles"][0]), "*")} if asked["profiles"] else {}
    benchmarks = {"benchmark_files": (Path(asked["benchmarks"][0]), "**/*")} if asked["benchmarks"] else {}
    return casts | benchmarks


def _trained(settings: Settings) -> Table:
    """The table of trained models, which systems may be taken from."""
    return datasets(settings.model_copy(update={"systems": {}}))[MODELS].table


def _check_demonstrations(steps: Mapping[str, Dataset], settings: Settings) -> None:
    """That tasks that show examples have them."""
    data, faults = steps.get(DEMONSTRATIONS), Collected()
    for step in steps.values():
        if isinstance(step, TaskStep) and {DEMONSTRATIONS, DEMONSTRATION_PERSONAS} & set(step.template.with_):
            assert isinstance(data, DataStep)
            with faults.part():
                check_demonstrations(step, data, settings.languages)
    faults.check()


def _voices(task: Template) -> list[str]:
    """What settings call who answers the turns of a task."""
    return [turn.voice for turn in task.all_turns()] if task.turns else []


def _known(where: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{where} {name} is unknown (known: {', '.join(sorted(known))})")


def _stepped(
    declared: Mapping[str, Template | Derived],
    files: Mapping[str, Path],
    checks: Mapping[str, OwnCheck] | None = None,
    rules: Mapping[str, Rule] | None = None,
    benchmarks: Benchmarks | None = None,
    instead: Path | None = None,
    elsewhere: Mapping[str, tuple[Path, str]] | None = None,
) -> _Loaded:
    """Tasks and functions in an order in which each comes after what it reads, with their steps; data files first.

    Data files that stand in `instead` under the names of bundled ones take their place; those of a table that
    `elsewhere` names are all files of that folder. A bundled task is tried out where it, or what it reads, is not as
    the package has it: as that is, a test has tried it.
    """
    tables = dict(ASSET_TABLES)
    steps: dict[str, Dataset] = {}
    for step in _data_steps(declared, files, instead, elsewhere or {}):
        steps[step.name], tables[step.name] = step, step.table
    others = {name for name, step in steps.items() if isinstance(step, DataStep) and step.folder not in _OURS}
    bundled = _as_bundled()
    data = _rows_of({name: step for name, step in steps.items() if isinstance(step, DataStep)})
    declared = {name: one.looking(data) if isinstance(one, Derived) else one for name, one in declared.items()}
    waiting, failed, faults = dict(declared), set[str](), Collected()
    while waiting:
        # What reads something unknown comes last: its error names all that there is.
        ready = [name for name, one in waiting.items() if all(read in tables for read in _reads(one))]
        ready = ready or [name for name, one in waiting.items() if not any(read in waiting for read in _reads(one))]
        if not ready:
            circle = _circle(waiting)
            file, first, said = files[circle[0]], waiting[circle[0]], f"they read one another: {' reads '.join(circle)}"
            raise _of_reads(first, file, said)
        for name in ready:
            one = waiting.pop(name)
            if failed & {*_reads(one)}:
                failed.add(name)  # what is wrong with it may follow from what is wrong there
                continue
            if one != bundled.get(name) or others & {*_reads(one)}:
                others.add(name)
            try:
                if isinstance(one, Template):
                    steps[name] = made = TaskStep(one, dict(tables), files[name], checks, rules, benchmarks)
                    if name in others:
                        try_out(made)
                else:
                    steps[name] = DerivedStep(one, dict(tables), data)
                tables[name] = steps[name].table
            except UsageError as error:
                failed.add(name)
                several = error.faults if isinstance(error, Faults) else [error]
                faults.faults += [_in_file(files[name], one) for one in several]
    faults.check()
    templates = {name: one for name, one in declared.items() if isinstance(one, Template)}
    templates = {name: templates[name] for name in steps if name in templates}
    return _Loaded(templates, steps)


def _rows_of(steps: Mapping[str, DataStep]) -> DataRows:
    """What stands in data files now, by the table; each is read once."""
    return cache(lambda name: tuple(steps[name].all_rows()))


def _in_file(file: Path, error: UsageError) -> UsageError:
    """What is wrong with a task or a function, with its file, and the line where that is known."""
    if isinstance(error, WrongKey):
        return wrong(file, error.place, error.said)
    has_line = re.match(rf"{re.escape(str(file))}:\d", str(error))
    return error if has_line else UsageError(f"{file}: {error}")


def _data_steps(
    declared: Mapping[str, Template | Derived],
    files: Mapping[str, Path],
    instead: Path | None,
    elsewhere: Mapping[str, tuple[Path, str]],
) -> Iterator[DataStep]:
    """The data files that are read, by the names of their tables."""
    found: dict[str, DataStep] = {}
    for name, one in declared.items():
        for reads in _data_read(one):
            if not reads.file:
                continue
            is_ours = files[name].parent in _OURS
            is_replaced = instead is not None and is_ours and files_of(instead, reads.file)
            folder, pattern = elsewhere.get(reads.name, (None, ""))
            if folder:
                reads = reads.model_copy(update={"table": reads.name, "file": pattern})
            step = DataStep(reads, files[name], folder or (instead if is_replaced else None))
            other = found.get(reads.name)
            if reads.name in declared or reads.name in _reserved() | _KINDS:
                raise _of_reads(
                    one, files[name], f"the name {reads.name} is taken; name the table otherwise by `table`"
                )
            if other and (other.declared, other.folder) != (reads, step.folder):
                said = f"{reads.name} are other files in {other.declared_in}; name the table otherwise by `table`"
                raise _of_reads(one, files[name], said)
            found[reads.name] = other or step
    yield from found.values()


def _data_read(declared: Template | Derived) -> tuple[Reads, ...]:
    """All that a file reads, data files among it."""
    if isinstance(declared, Template):
        return (declared.reads, *(up.from_ for up in declared.with_.values()))
    return (*declared.read, *declared.files)


def _of_reads(declared: Template | Derived, file: Path, said: str) -> UsageError:
    """What is wrong with what a file reads."""
    if isinstance(declared, Template):
        return wrong(file, ("reads",), said)
    return UsageError(f"{file}:{declared.line}: {said}")


def _circle(waiting: Mapping[str, Template | Derived]) -> list[str]:
    """Names of which each reads the next, and the last is the first."""
    way = [min(waiting)]
    while way.count(way[-1]) < 2:
        way.append(min(read for read in _reads(waiting[way[-1]]) if read in waiting))
    return way[way.index(way[-1]) :]


def _reads(declared: Template | Derived) -> tuple[str, ...]:
    if not isinstance(declared, Template):
        return declared.reads
    return (declared.reads.name, *(up.from_.name for up in declared.with_.values()))


def _check_systems(step: TaskStep, settings: Settings) -> None:
    """That each system that answers a task names who that is."""
    task, name = step.template, step.template.systems
    for label, row in task.over[name].by_label.items() if name else ():
        said = ""
        assert isinstance(row, dict)
        if "api_key" in row:
            said = f"system {label}: no key belongs into a file; name the variable that holds it in api_key_env"
        elif not row.keys() & {"engine", "model"}:
            said = f"system {label} names neither an engine nor a model"
        try:
            settings.for_asset(task.name, by=row, with_key=False)
        except UsageError as error:
            said = said or str(error)
        if said:
            raise wrong(step.file or FILES / f"{task.name}.yaml", ("over", name), said)


def _with_own(folder: Path) -> tuple[dict[str, Template | Derived], dict[str, Path]]:
    bundled, bundled_files = _bundled_files()
    found = dict(bundled_files)
    declared = {
        name: _load(bundled_files[name], folder) if isinstance(one, Template) else one for name, one in bundled.items()
    }
    own_files, faults = list[tuple[Path, Template | Derived]](), Collected()
    functions = [(path, one) for path in sorted(folder.glob("*.py")) for one in _functions(path)]
    for path in _task_paths(folder):
        with faults.part():
            own_files.append((path, _load(path)))
    faults.check()
    for path, one in [*own_files, *functions]:
        if one.name in found:
            raise UsageError(f"{path}: the task name {one.name} is taken by {found[one.name]}; choose another")
        declared[one.name], found[one.name] = one, path
    return declared, found


def _files_of(path: Path, declared: Derived) -> Iterator[Path]:
    """The data files that a function reads."""
    for reads in (*declared.read, *declared.files):
        yield from files_of(path.parent, reads.file) if reads.file else ()


def _own_checks(folder: Path) -> dict[str, OwnCheck]:
    """The functions of a folder that are checks, by name."""
    found: dict[str, OwnCheck] = {}
    for path in sorted(folder.glob("*.py")):
        for one in _module(path, path.stat().st_mtime_ns):
            if not isinstance(one, OwnCheck):
                continue
            if one.name in found or (SQL / "checks" / f"{one.name}.sql").is_file():
                raise UsageError(f"{path}:{one.line}: the name {one.name} is that of another check; choose another")
            found[one.name] = one
    return found


def own_rules(settings: Settings) -> dict[str, Rule]:
    """The rules that the folder `settings.tasks` declares, by name.

    Raises:
        UsageError: the folder is missing, or two rules have one name.
    """
    if settings.tasks is None:
        return {}
    if not Path(settings.tasks).is_dir():
        raise UsageError(f"PERSONA_TASKS: {settings.tasks} is not a folder of task files")
    return _own_rules(Path(settings.tasks))


def _own_rules(folder: Path) -> dict[str, Rule]:
    """The functions of a folder that are rules, by name."""
    found: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.py")):
        for one in _module(path, path.stat().st_mtime_ns):
            if not isinstance(one, Rule):
                continue
            if one.of != "sample":
                said = "a folder of tasks declares rules of samples; others come with an installed package"
                raise UsageError(f"{path}:{one.line}: {one.name} is a rule of a {one.of}: {said}")
            if one.name in found:
                raise UsageError(f"{path}:{one.line}: the rule name {one.name} is taken by {found[one.name].file.name}")
            found[one.name] = one
    return found


def _functions(path: Path) -> list[Derived]:
    """The functions that a Python file declares as assets."""
    found = [one for one in _module(path, path.stat().st_mtime_ns) if isinstance(one, Derived)]
    for one in found:
        if not _NAME.fullmatch(one.name):
            raise UsageError(f"{path}:{one.line}: the name {one.name} is not one of an asset: use a-z, 0-9 and _")
        _free(path, one.name)
    return found


@cache
def _module(path: Path, changed: int) -> list[Derived | OwnCheck | Rule]:
    """What the file declares as it was at its time of change. It is run: the folder is as trusted as this program."""
    spec = importlib.util.spec_from_file_location(f"persona_tasks_{digest(str(path).encode())[:12]}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = frames[-1].lineno if frames else getattr(error, "lineno", None) or 1
        raise UsageError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    return [one for one in vars(module).values() if isinstance(one, Derived | OwnCheck | Rule) and one.file == path]


@lru_cache(maxsize=64)
def _bundled(asked: bytes) -> _Loaded:
    told = json.loads(asked)
    return _stepped(*_asked(*_bundled_files(), told), benchmarks=_held_to(told), elsewhere=_elsewhere(told))


def _held_to(asked: Mapping[str, Any]) -> Benchmarks | None:
    """The benchmarks that rows must not overlap."""
    return benchmarks_as(*asked["benchmarks"]) if asked["benchmarks"] else None


def _asked(
    declared: Mapping[str, Template | Derived],
    files: Mapping[str, Path],
    asked: Mapping[str, Any],
    instead: Path | None = None,
) -> tuple[dict[str, Template | Derived], dict[str, Path]]:
    """Tasks as the settings ask them, with those that judge others, views, and what measures datasets."""
    judges = {one.name: (file, one) for file, one in judging(Judged(**asked["judged"]), instead)}
    if taken := sorted(judges.keys() & declared.keys()):
        raise UsageError(f"{files[taken[0]]}: the name {taken[0]} is that of what judges; choose another")
    every = {**declared, **{name: one for name, (_, one) in judges.items()}}
    known = {**files, **{name: file for name, (file, _) in judges.items()}}
    for file, view in views_in(Path(asked["views"][0])) if asked["views"] else ():
        if not _NAME.fullmatch(view.name):
            raise UsageError(f"{file}: the name {view.name} is not one of an asset: use a-z, 0-9 and _")
        _free(file, view.name)
        if view.name in known:
            raise UsageError(f"{file}: the name {view.name} is taken by {known[view.name]}; choose another")
        every[view.name], known[view.name] = view, file
    for measure in quality_of(asked["measured"], every, _held_to(asked)):
        every[measure.name], known[measure.name] = measure, FILES / "quality"
    every = {name: one.beside(every) if isinstance(one, Derived) else one for name, one in every.items()}
    faults, found = Collected(), as_asked(every, asked)
    for name, one in found.items():
        with faults.part():
            found[name] = _selecting(one, asked["selected"].get(name, ""), every, known[name])
    faults.check()
    return found, known


def _selecting(
    declared: Template | Derived, view: str, every: Mapping[str, Template | Derived], file: Path
) -> Template | Derived:
    """A task that asks about what a view selects: that of the settings, else that of its file; others as they are.

    Raises:
        UsageError: there is no such view.
    """
    if not isinstance(declared, Template) or not (view or declared.select):
        return declared
    views = {
        name: str(one.cites[SELECTED])
        for name, one in every.items()
        if isinstance(one, Derived) and SELECTED in one.cites
    }
    if (wanted := view or declared.select) not in views:
        said = f"there is no view {wanted} in PERSONA_VIEWS; {did_you_mean(wanted, views)}"
        raise UsageError(f"PERSONA_SELECTED: {declared.name}: {said}") if view else wrong(file, ("select",), said)
    if CHOSEN in declared.with_:
        raise wrong(file, ("with", CHOSEN), "stands for the rows of the view that it selects by; name it otherwise")
    table = ASSET_TABLES.get(declared.reads.name)
    return selecting(declared, wanted, views[wanted], table.key if table else "sample_id")


@cache
def _bundled_files() -> tuple[dict[str, Template | Derived], dict[str, Path]]:
    """The tasks and functions of the package, and their files."""
    found: list[tuple[Path, Template | Derived]] = [(path, _load(path)) for path in _task_paths(FILES)]
    found += [(path, one) for path in sorted(FILES.glob("*.py")) for one in _functions(path)]
    return {one.name: one for _, one in found}, {one.name: path for path, one in found}


@cache
def _as_bundled() -> dict[str, Template | Derived]:
    """The tasks and functions of the package as they are asked where no setting says otherwise."""
    return as_asked(_bundled_files()[0], {of: {} for of in ("modes", "shares", "attempts", "params", "systems")})


def _task_paths(folder: Path) -> list[Path]:
    """The task files of a folder: its YAML files that no other file of it reads."""
    named = _named(folder)
    return [path for path in _paths(folder) if path not in named]


def _named(folder: Path) -> set[Path]:
    """The files that the files of a folder name, as data or as values of `over`."""
    functions = [(path, one) for path in sorted(folder.glob("*.py")) for one in _functions(path)]
    named = {found for path, one in functions for found in _files_of(path, one)}
    return named | {found for path in _paths(folder) for found in files_named(path)}


def _paths(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


@cache
def _reserved() -> frozenset[str]:
    """Names that a task's table or its calls would share with something else."""
    prompts = (path.stem for path in PROMPTS.glob("*.yaml"))
    return frozenset({*ASSET_TABLES, *SUPPORT_TABLES, *view_names(), *FOLDERS, *prompts})


def _load(path: Path, instead: Path | None = None) -> Template:
    task = load_template(path, instead)
    if task.kind != "task":
        raise UsageError(f"{path}: kind is {task.kind}, but only `kind: task` can become a dataset")
    _free(path, task.name)
    return task


def _free(path: Path, name: str) -> None:
    if name in _reserved():
        raise UsageError(f"{path}: the name {name} belongs to the project itself; choose another")
