"""The small lake that an earlier version made, unpacked for a test; fixtures/README.md says what is in it."""

import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from persona_assets.personas import expand, extract
from persona_assets.prompts import Template, load_template
from persona_assets.tasks import load

ARCHIVE = Path(__file__).with_name("fixtures") / "old_lake.tar.gz"
DUMPS = ("old-2026-09", "old-2026-10")
SHARDS = ("old-2026-09.0000", "old-2026-09.0001", "old-2026-10.0000", "old-2026-10.0001")
# What its partitions were made under; folders are those below the one that `unpack` returns.
SETTINGS = {
    "engine": "offline",
    "settle_s": 0,
    "files_per_shard": 1,
    "relations": ("read",),
    "fanout": (1,),
    "hops": 2,
    "min_relatedness": 0.5,
}


def unpack(folder: Path) -> Path:
    """Unpack it below a folder, and return the folder that holds `lake`, `dumps` and `tasks`."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "old_lake"


PROMPTS_1 = Path(__file__).with_name("fixtures") / "prompts_1"


def first_prompt(name: str, today: Template) -> Template:
    """The prompt of version 1 with the rules of today, as far as it has the properties that these look at.

    A task that came later is as it is today.
    """
    if not (PROMPTS_1 / f"{name}.yaml").is_file():
        return today
    template = load_template(PROMPTS_1 / f"{name}.yaml")
    known = set(template.response_schema["properties"])

    def fits(args: Mapping[str, Any]) -> bool:
        named = [args[key] for key in ("field", "answer_field") if key in args]
        return all(one in known for name in named for one in (name if isinstance(name, list) else [name]))

    rules = tuple(rule for rule in today.validity if fits(rule.args))
    return template.model_copy(update={"validity": rules})


def tasks_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other bundled tasks be there than there were when the lake was made."""
    files = load._bundled_files.__wrapped__

    def of_then() -> tuple[dict[str, Any], dict[str, Path]]:
        declared, paths = files()
        names = [name for name in declared if (PROMPTS_1 / f"{name}.yaml").is_file()]
        return {name: declared[name] for name in names}, {name: paths[name] for name in names}

    monkeypatch.setattr(load, "_bundled_files", cache(of_then))
    for name in ("_bundled", "_as_bundled", "_own"):  # what was loaded before knows the others
        monkeypatch.setattr(load, name, cache(getattr(load, name).__wrapped__))


def under_first_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every step ask what it asked when the lake was made; the rules are those of today."""
    today = load._load

    def first(path: Path, instead: Path | None = None) -> Template:
        template = today(path, instead)
        return first_prompt(path.stem, template) if (PROMPTS_1 / path.name).is_file() else template

    monkeypatch.setattr(load, "_load", first)
    tasks_of_then(monkeypatch)
    for module in (extract, expand):
        monkeypatch.setattr(module, "PROMPTS", PROMPTS_1)
