import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from persona_assets.engines.base import Engine
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context

# absl's log handler keeps the stderr of its first import, and closes it when Dagster sets logging up in a command that
# has a stderr of its own. A development dependency brings absl, and openvino imports it in the middle of a test: its
# stderr would be pytest's capture.
with redirect_stderr(sys.__stderr__):
    import absl.logging  # noqa: F401

# Machines are shared: an example that takes long says nothing about the code.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")

# Dagster commits to SQLite several times for each event and waits for the disk each time: of a run on a disk that is
# half of what it takes. Where memory serves as a file system with enough room, the tests' folders are there.
MEMORY, ROOM = Path("/dev/shm"), 4 << 30  # bytes; a whole run leaves 1.2 GB
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# With two workers, what takes long comes first, so that neither ends long before the other. Files whose tests start
# Dagster's servers are one piece of work: one set of servers runs at a time, and the other worker would wait for it.
SERVERS = ("defs/test_following", "defs/test_backfills", "ui/test_pages", "defs/test_sets", "defs/test_one_file")
LONG = (
    *("defs/test_graph", "cli/test_asking", "cli/test_app", "test_shaped_rows", "plan/test_plan", "defs/test_dedup"),
    *("dedup/test_invariants", "lineage/test_chain", "evaluation/test_in_graph", "training/test_process"),
    *("lineage/test_audit", "defs/test_crash", "personas/test_rules", "test_state_reads", "defs/test_automation"),
    *("cli/test_migrating", "plan/test_tasks", "steps/test_conversation", "dedup/test_deduper", "test_migrate"),
)


def place(file: str) -> int:
    """Where a file of tests stands among those that come first, or after them."""
    name = file.rpartition("persona_assets_tests/")[2].removesuffix(".py")
    first = SERVERS + LONG
    return first.index(name) if name in first else len(first)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place(item.nodeid.split("::")[0]))


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: a million objects that nobody needs to look through again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `--dist loadfile`, its scheduler with the files in the order above."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LongFirst(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "servers" if place(file) < len(SERVERS) else file

    config.option.loadscopereorder = False  # by default, files of many tests come first
    return LongFirst(config, log)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """Commands put settings in the environment for every process of a run: no later test finds them there."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of its own for each test."""
    return Lake(tmp_path / "lake")


def context(lake: Lake, engine: Engine, run_id: str = "run", **settings: object) -> Context:
    """What a hop needs, with these settings and otherwise the defaults."""
    return Context(lake, Settings(lake=lake.root, **settings), engine, run_id)
