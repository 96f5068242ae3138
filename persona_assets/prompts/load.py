"""Reads template files; what is wrong with one is told with its file, line and key, and what would be right."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from persona_assets.errors import UsageError, did_you_mean, together
from persona_assets.prompts.template import (
    Group,
    LookUp,
    MessageTemplate,
    Over,
    Reads,
    Rule,
    SetCheck,
    Speaker,
    Talk,
    Template,
    Turn,
)

M = TypeVar("M", bound=BaseModel)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be built without libyaml
_PARTS: dict[str, type[BaseModel]] = {
    "over": Over,
    "reads": Reads,
    "group": Group,
    "with": LookUp,
    "speakers": Speaker,
    "talk": Talk,
    "turns": Turn,
    "messages": MessageTemplate,
    "validity": Rule,
    "set_checks": SetCheck,
}
_SHOWN = 80  # characters of a wrong value


def load_template(path: Path, instead: Path | None = None) -> Template:
    """Read one file; values of `over` that stand in files are read from `instead` where that folder has them.

    Raises:
        UsageError: it is not YAML, or a key is missing, unknown or ill typed; the message names file, line and key.
    """
    try:
        data = _read(path, path.stat().st_mtime_ns)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: holds no keys with values, as a template file does")
    if _names_files(data):  # which may change while this one does not
        return _checked(path, {**data, "over": _with_rows(path, data["over"], instead)})
    return _whole(path, path.stat().st_mtime_ns)


def load_templates(folder: Path) -> dict[str, Template]:
    """All template files of a folder, by name, in name order.

    Raises:
        UsageError: the folder is missing, a file is wrong, or two files have one name.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of task files")
    found: dict[str, Template] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        template = load_template(path)
        if template.name in found:
            raise UsageError(f"{path}: the name {template.name} is taken by another file")
        found[template.name] = template
    return found


def files_named(path: Path) -> set[Path]:
    """The files that a template file names, as values of `over` or as rows to be read."""
    try:
        data = _read(path, path.stat().st_mtime_ns)
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return set()  # what is wrong with it is told where it is loaded
    data = data if isinstance(data, dict) else {}
    over, beside = data.get("over"), data.get("with")
    naming = [data.get("reads"), *(over.values() if isinstance(over, dict) else ())]
    naming += [up.get("from") for up in beside.values() if isinstance(up, dict)] if isinstance(beside, dict) else []
    patterns = (str(one["file"]) for one in naming if isinstance(one, dict) and one.get("file"))
    return {found for pattern in patterns for found in files_of(path.parent, pattern)} - {path}


def files_of(folder: Path, pattern: str) -> list[Path]:
    """The files that a path or pattern names, from a folder on, by name; none where it is not a usable pattern."""
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())
    except (ValueError, NotImplementedError):  # empty, or an absolute path
        path = folder / pattern
        return [path] if path.is_file() else []


@cache
def _read(path: Path, changed: int) -> Any:  # noqa: ANN401 - any YAML
    """A file as it was at its time of change; the large ones take a tenth of a second."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


@cache
def _whole(path: Path, changed: int) -> Template:
    return _checked(path, _read(path, changed))


def _checked(path: Path, data: Mapping[str, Any]) -> Template:
    try:
        return Template.model_validate(data)
    except ValidationError as error:
        places = {_there(data, one["loc"]): one for one in reversed(error.errors())}  # of two at a place the first
        told = [place for place, one in places.items() if not _follows(place, one, places)]
        faults = sorted((_line(path, place), str(wrong(path, place, _said(places[place])))) for place in told)
        raise together([UsageError(said) for _, said in faults]) from error


def _follows(place: tuple[int | str, ...], fault: Any, places: Mapping[tuple[int | str, ...], Any]) -> bool:  # noqa: ANN401 - pydantic's details
    """Whether a fault comes of another: a key is missing where one is unknown, or a list is empty of faulty items."""
    beside = (one for other, one in places.items() if other[:-1] == place[:-1])
    if fault["type"] == "missing" and any(one["type"] == "extra_forbidden" for one in beside):
        return True
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def wrong(path: Path, place: tuple[int | str, ...], said: str) -> UsageError:
    """What is wrong at a place in a file, with its line."""
    keys = ".".join(map(str, place)) or "file"
    return UsageError(f"{path}:{_line(path, place)}: {keys}: {said}")


def read_as(path: Path, model: type[M], parts: Mapping[str, type[BaseModel]]) -> M:
    """A YAML file as a model; `parts` are the models of what stands under its keys.

    Raises:
        UsageError: it is no YAML, or not such a file; the message names file, line and key.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            part = next((parts[str(key)] for key in reversed(first["loc"][:-1]) if str(key) in parts), model)
            said = f"unknown key; {did_you_mean(str(first['loc'][-1]), part.model_fields)}"
        raise wrong(path, first["loc"], said) from error


def _said(error: Any) -> str:  # noqa: ANN401 - pydantic's details
    if error["type"] == "extra_forbidden":
        *above, name = error["loc"]
        part = next((_PARTS[key] for key in reversed(above) if key in _PARTS), Template)
        known = [field.alias or key for key, field in part.model_fields.items() if not field.exclude]
        known += ["file", "rows"] if part is Over else []
        return f"unknown key; {did_you_mean(str(name), known)}"
    if error["type"] == "missing":
        return "is missing"
    given = error["input"]
    shown = f" (got {str(given)[:_SHOWN]!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{error['msg'].removeprefix('Value error, ')}{shown}"


def _there(data: Any, place: tuple[int | str, ...]) -> tuple[int | str, ...]:  # noqa: ANN401 - any YAML
    """A place without what follows a plain value, as pydantic names the types that it may have."""
    found: list[int | str] = []
    for key in place:
        if not isinstance(data, dict | list):
            break
        found.append(key)
        known = key in data if isinstance(data, dict) else isinstance(key, int) and key < len(data)
        data = data[key] if known else None  # type: ignore[index]
    return tuple(found)


def row_line(path: Path, place: int) -> int:
    """The line, from 1, on which a row of a file that holds a list of rows begins."""
    return _line(path, (place,)) if path.suffix in (".yaml", ".yml") else place + 1


def _line(path: Path, place: tuple[int | str, ...]) -> int:
    """The line, from 1, on which a place in a file begins; that of what is around it where it is missing."""
    if path.suffix not in (".yaml", ".yml"):
        return 1
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    line = 1
    for key in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((name, value) for name, value in node.value if name.value == str(key)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            break
    return line


# Values in files of their own


def _names_files(data: Mapping[str, Any]) -> bool:
    over = data.get("over")
    return isinstance(over, dict) and any(isinstance(one, dict) and "file" in one for one in over.values())


def _with_rows(path: Path, over: Mapping[str, Any], instead: Path | None) -> dict[str, Any]:
    """The values of `over`, those in other files read from there: `{file: poles.yaml, rows: poles}`."""
    found: dict[str, Any] = {}
    for name, given in over.items():
        if not (isinstance(given, dict) and "file" in given):
            found[name] = given
            continue
        place = ("over", name)
        known = ["file", "rows", "draw", "answers", "where"]
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise wrong(path, (*place, unknown[0]), f"unknown key; {did_you_mean(unknown[0], known)}")
        folder = instead if instead and files_of(instead, str(given["file"])) else path.parent
        values = _rows_of(path, folder, given, place)
        found[name] = {"values": values} | {key: given[key] for key in known[2:] if key in given}
    return found


def _rows_of(path: Path, folder: Path, given: Mapping[str, Any], place: tuple[str, ...]) -> Any:  # noqa: ANN401 - any YAML
    file = folder / str(given["file"])
    if "*" in file.name and "rows" not in given:
        return _row_per_file(path, folder, given, place)
    files = files_of(folder, str(given["file"])) if "*" in file.name else [file]
    if not files or not files[0].is_file():
        raise wrong(path, (*place, "file"), f"there is no file {file}")
    found = [_rows_in(path, one, given, place) for one in files]
    return [row for rows in found for row in rows]


def _rows_in(path: Path, file: Path, given: Mapping[str, Any], place: tuple[str, ...]) -> list[Any]:
    rows = _read_for(path, file, place)
    if "rows" in given:
        if not isinstance(rows, dict) or given["rows"] not in rows:
            known = list(map(str, rows)) if isinstance(rows, dict) else []
            raise wrong(path, (*place, "rows"), f"{file} has no such key; {did_you_mean(str(given['rows']), known)}")
        rows = rows[given["rows"]]
    if isinstance(rows, dict):  # rows by id
        rows = [{"id": key, **(row if isinstance(row, dict) else {"value": row})} for key, row in rows.items()]
    if not isinstance(rows, list):
        raise wrong(path, place, f"{file} holds no list of values")
    return rows


def _row_per_file(path: Path, folder: Path, given: Mapping[str, Any], place: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each file of a pattern, by the file's name."""
    files = [file for file in files_of(folder, str(given["file"])) if file.suffix in (".yaml", ".yml")]
    if not files:
        raise wrong(path, (*place, "file"), f"there is no YAML file {folder / str(given['file'])}")
    found = []
    for file in files:
        row = _read_for(path, file, place)
        if not isinstance(row, dict):
            raise wrong(path, (*place, "file"), f"{file} holds no keys with values")
        found.append({"id": file.stem, **row})
    return found


def _read_for(path: Path, file: Path, place: tuple[str, ...]) -> Any:  # noqa: ANN401 - any YAML
    try:
        return _read(file, file.stat().st_mtime_ns)
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise wrong(path, (*place, "file"), f"{file} cannot be read: {error}") from error
