import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.storage import event_log
from dagster._core.storage.event_log.in_memory import InMemoryEventLogStorage
from sqlalchemy import Connection

PAGE = (
    "Retired beekeeper {n} keeps nineteen hives on a slope above the river. Each spring the colonies are checked for "
    "mites, the frames are cleaned, and weak queens are replaced. Visitors from school {n} learn how honey is spun, "
    "why smoke calms bees, and what a swarm does when its nest becomes too small. Last year the harvest was {n} jars."
)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty dumps folder, and settings that point to it."""
    (tmp_path / "dumps").mkdir()
    values = {"LAKE": tmp_path / "lake", "DUMPS": tmp_path / "dumps", "SETTLE_S": 0, "FILES_PER_SHARD": 1, "HOPS": 1}
    for name, value in values.items():
        monkeypatch.setenv(f"PERSONA_{name}", str(value))
    return tmp_path


@pytest.fixture
def drop(workplace: Path) -> Callable[..., Path]:
    """Puts a JSONL crawl file of a few pages into a dump."""

    def put(dump: str, name: str, *numbers: int) -> Path:
        path = workplace / "dumps" / dump / name
        path.parent.mkdir(exist_ok=True)
        lines = [f'{{"text": "{PAGE.format(n=n)}", "url": "https://bees{n}.example/"}}\n' for n in numbers]
        path.write_text("".join(lines))
        old = time.time() - 5
        os.utime(path, (old, old))
        return path

    return put


@pytest.fixture
def definitions(workplace: Path) -> dg.Definitions:
    """The code location, with the settings of the test."""
    from persona_assets.definitions import defs

    return defs


class EventLog(InMemoryEventLogStorage):
    """Dagster's event log in memory, on its one connection, where Dagster opens another for each event and look-up."""

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._db_lock, self._held_conn.begin():
            yield self._held_conn

    def has_table(self, table_name: str) -> bool:
        return True


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> DagsterInstance:
    """A Dagster instance in memory."""
    monkeypatch.setattr(event_log, "InMemoryEventLogStorage", EventLog)
    return DagsterInstance.ephemeral()
