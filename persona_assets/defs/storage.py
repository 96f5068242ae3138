"""Dagster's SQLite storage, with an event log that prepares its statements once and not anew for each event.

Dagster makes an SQLAlchemy engine for each event that it stores, and with it compiles each statement again. That is a
fifth of the time of a run of many small partitions. Engines hold no connections here, so all else is as it was: files
are the same, other processes see what is written at once, and a live log follows it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.pool import NullPool


@lru_cache(maxsize=64)  # one for each run that is looked at, and one for all
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})


class EventLog(SqliteEventLogStorage):
    """The event log."""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table."""
        return inspect(_engine(self.conn_string_for_shard(INDEX_SHARD_NAME))).has_table(table_name)


class Storage(DagsterSqliteStorage):
    """Runs, events and schedules under a folder: what `storage` in `dagster.yaml` names."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(_event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> "Storage":
        """Made from what `dagster.yaml` says."""
        return cls.from_local(inst_data=inst_data, **config_value)
