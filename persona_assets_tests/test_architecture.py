"""The import rules of ARCHITECTURE.md hold in every module."""

import ast
import re
from pathlib import Path

import pytest

import persona_assets

PACKAGE = Path(persona_assets.__file__).parent
LAYERS = {
    "ids": 0, "draws": 0, "settings": 0, "errors": 0, "progress": 0, "plugins": 0,
    "text": 1, "prompts": 1, "files": 1, "view": 1, "recipes": 1, "maths": 1, "votes": 1,
    "contained": 1, "constraints": 2, "contamination": 2, "surveys": 2, "questionnaires": 2, "characters": 2,
    "lake": 2,
    "ledger": 3, "engines": 4, "checks": 4,
    "steps": 5, "rules": 5, "contrast": 5,
    "crawl": 6, "personas": 6, "chat": 6, "dedup": 6, "tasks": 6, "training": 6, "evaluation": 6,
    "quality": 6, "demo": 6,
    "graph": 7, "settings_page": 8, "state": 8, "lineage": 8, "plan": 8, "judging": 8, "export": 8,
    "making": 9, "again": 9, "migrate": 9,
    "defs": 10, "definitions": 11, "cli": 12, "__main__": 13,
}  # fmt: skip
EDGE = {"defs", "definitions"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    for name in imported(path):
        if name.startswith("persona_assets."):
            other = name.split(".")[1]
            assert other == part or LAYERS[other] <= LAYERS[part], f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_edge_imports_dagster(path: Path) -> None:
    if part_of(path) not in EDGE:
        assert not [name for name in imported(path) if name.split(".")[0] == "dagster"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_view_the_audits_tree_and_the_command_line_import_rich(path: Path) -> None:
    if part_of(path) not in {"view", "lineage", "cli"}:
        assert not [name for name in imported(path) if name.split(".")[0] == "rich"]


@pytest.mark.parametrize("part", ["cli", "defs"])
def test_programs_open_lakes_with_a_look_at_their_format(part: str) -> None:
    for path in (PACKAGE / part).glob("*.py"):
        if path != PACKAGE / "cli" / "migrate.py":
            found = re.findall(r"(?<![_\w])Lake\((?:settings|url)", path.read_text(encoding="utf-8"))
            assert not found, f"{path}: call open_lake"
