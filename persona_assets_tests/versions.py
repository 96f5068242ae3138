"""Holds versions of code that shapes rows to its source: `python -m persona_assets_tests.versions` writes the lock.

The lock keeps a digest of each module, asset and validity rule beside its version. Digests are of the syntax tree
without comments, docstrings and the annotations of functions, and the same for every version of Python. What a module
looks for by the names of patterns, or reads from a data file of rules, is part of it.
"""

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import persona_assets
from persona_assets.contamination.index import VERSION as OVERLAP_VERSION
from persona_assets.engines.offline.engine import VERSION
from persona_assets.graph import Asset, assets
from persona_assets.ids import canonical_json, digest
from persona_assets.rules.patterns import LANGUAGES, expressions, of_language
from persona_assets.rules.registry import rules
from persona_assets.settings import Settings

PACKAGE = Path(persona_assets.__file__).parent
LOCK = Path(__file__).with_name("versions.lock.json")
WRITE = "run `python -m persona_assets_tests.versions` to write the lock"
REMEDIES = {
    "assets": "raise `version` of {name} in persona_assets/graph.py if rows come out otherwise",
    "rules": "raise the version of {name} where it is declared if it judges otherwise",
    "contamination": "raise VERSION in persona_assets/contamination/index.py if {name} are found otherwise",
    "engines": "raise VERSION in persona_assets/engines/{name}/engine.py if it answers otherwise",
}
# What finds overlaps with benchmarks; the recipe of rows that are held to them has the version.
OVERLAPS = (
    *(f"contamination.{name}" for name in ("benchmarks", "form", "grams", "index", "items", "overlaps", "words")),
    *("files.rows", "text.token_hashes", "text.tokens"),
)
Lock = dict[str, dict[str, Any]]


def bundled() -> dict[str, Asset]:
    """The assets of the package itself, whatever the environment says."""
    return assets(Settings(tasks=None, models=None, targets={}))


def current() -> Lock:
    """What the lock should hold."""
    offline = [f"engines.offline.{path.stem}" for path in sorted((PACKAGE / "engines/offline").glob("*.py"))]
    modules = sorted({module for asset in bundled().values() for module in asset.modules} | {*offline, *OVERLAPS})
    return {
        "assets": {name: _locked(asset.version, asset.modules) for name, asset in bundled().items()},
        "contamination": {"overlaps": _locked(OVERLAP_VERSION, OVERLAPS)},
        "engines": {"offline": _locked(VERSION, offline)},
        "modules": {module: module_digest(module) for module in modules},
        "rules": {name: {"version": one.version, "source": rule_digest(name)} for name, one in rules("sample").items()},
    }


def _locked(version: int, modules: tuple[str, ...] | list[str]) -> dict[str, Any]:
    return {"version": version, "source": digest(canonical_json([[name, module_digest(name)] for name in modules]))}


def problems(locked: Lock, now: Lock) -> list[str]:
    """What differs from the lock, each with what to do."""
    changed = [name for name, source in now["modules"].items() if locked.get("modules", {}).get(name) != source]
    found = []
    for kind, remedy in REMEDIES.items():
        for name, entry in now[kind].items():
            before = locked.get(kind, {}).get(name)
            if before == entry:
                continue
            if before is None or before["version"] != entry["version"]:
                found.append(f"{name}: version {entry['version']} is not in the lock: {WRITE}")
                continue
            what = ", ".join(module for module in changed if module in _modules(kind, name)) or name
            found.append(f"the source of {what} changed: {remedy.format(name=name)}, then {WRITE}")
        found += [f"{name} is in the lock only: {WRITE}" for name in locked.get(kind, {}).keys() - now[kind].keys()]
    return found or ([f"the lock is out of date: {WRITE}"] if locked != now else [])


def _modules(kind: str, name: str) -> tuple[str, ...]:
    if kind == "contamination":
        return OVERLAPS
    if kind == "assets":
        return bundled()[name].modules
    return tuple(module for module in current()["modules"] if module.startswith(f"{kind}.{name}."))


# Source


def path_of(module: str) -> Path:
    """The file of a module of the package, named from the package on."""
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


@cache
def module_digest(module: str) -> str:
    tree = plain(tree_of(module))
    named = patterns_named(tree_of(module)) if "rules.patterns" in imported(module) else {}
    return digest(canonical_json([tree, named] if named else tree))


def patterns_named(tree: ast.AST) -> dict[str, list[str]]:
    """The patterns of rules that stand in a syntax tree as strings, by name."""
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    known = {name for language in ("any", *LANGUAGES) for name in of_language(language)}
    return {name: list(expressions(name)) for name in strings & known}


def files_named(tree: ast.AST) -> list[Path]:
    """The data files of rules, other than those of patterns, that stand in a syntax tree as strings."""
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return [path for path in sorted((PACKAGE / "rules/data").glob("*.tsv")) if path.name in strings]


def source_digest(text: str) -> str:
    """The digest of a module of this text."""
    return digest(canonical_json(plain(ast.parse(text))))


def plain(node: object) -> Any:
    """A syntax tree as JSON. Empty fields are left out, as newer versions of Python have more of them."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, _stripped(node, name, value)) for name, value in ast.iter_fields(node)]
    return [type(node).__name__, *([name, plain(value)] for name, value in fields if value is not None and value != [])]


def _stripped(node: ast.AST, name: str, value: Any) -> Any:
    """A field without docstring or annotation; those of assignments stay, as they make the fields of classes."""
    if (name == "annotation" and isinstance(node, ast.arg)) or name == "returns":
        return None
    if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return value[1:] if ast.get_docstring(node, clean=False) is not None else value
    return value


def imported(module: str) -> set[str]:
    """The modules of the package that a module imports, wherever in it."""
    return {name for node in ast.walk(tree_of(module)) for name in _modules_of(node)}


def _modules_of(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("persona_assets"):
        return
    base = str(node.module).removeprefix("persona_assets").removeprefix(".")
    for alias in node.names:
        whole = f"{base}.{alias.name}".removeprefix(".")
        yield whole if path_of(whole).is_file() else base


# Rules: a function with all that it reaches


def rule_digest(name: str) -> str:
    """The digest of a rule and of every function, class and constant of the package that it reaches."""
    function = rules("sample")[name].see
    assert isinstance(function, FunctionType)
    reached: dict[str, Any] = {}
    _reach(function.__module__.removeprefix("persona_assets."), function.__name__, reached)
    return digest(canonical_json(reached))


def _reach(module: str, name: str, reached: dict[str, Any]) -> None:
    defined = _definitions(module).get(name)
    if defined is None or f"{module}.{name}" in reached:  # a builtin, a parameter, a library
        return
    if isinstance(defined, str):
        assert name in _definitions(defined), f"{module} imports {name}, which is not defined in {defined}"
        _reach(defined, name, reached)
        return
    reached[f"{module}.{name}"] = plain(defined)
    if module.startswith("rules."):
        reached.update({f"pattern {named}": told for named, told in patterns_named(defined).items()})
        reached.update({f"file {path.name}": digest(path.read_bytes()) for path in files_named(defined)})
    for node in ast.walk(defined):
        if isinstance(node, ast.Name):
            _reach(module, node.id, reached)


@cache
def _definitions(module: str) -> dict[str, ast.stmt | str]:
    """By name what a module defines at its top level, or the module of the package that it imports it from."""
    found: dict[str, ast.stmt | str] = {}
    for statement in tree_of(module).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found |= {
                node.id: statement for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
            }
        elif isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("persona_assets."):
            base = str(statement.module).removeprefix("persona_assets.")
            found |= {alias.asname or alias.name: base for alias in statement.names}
    return found


def main() -> None:
    """Write the lock."""
    LOCK.write_text(json.dumps(current(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{LOCK.name} written\n")


if __name__ == "__main__":
    main()
