"""`dagster api grpc`, a code server whose runs start at once: processes of their own as ever, but forked, not spawned.

They are forked from a process that has imported the libraries and nothing of `persona_assets.defs`, so that each run
still loads the code location by itself, as a spawned one does. Of a spawned run, imports are most of what it takes.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext
from typing import Any

from dagster._grpc.server import DagsterApiServer

LIBRARIES = [
    *("dagster", "dagster._grpc.server", "dagster._core.storage.sqlite_storage", "duckdb", "polars", "pyarrow.parquet"),
    *("persona_assets.engines.select", "persona_assets.making"),
]


class Forking(DagsterApiServer):
    """The server as it is, but for where its runs come from."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        forks: ForkServerContext = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(LIBRARIES)
        self._mp_ctx = forks  # type: ignore[assignment]


if __name__ == "__main__":
    from dagster._cli.api import grpc_command
    from dagster._grpc import server

    server.DagsterApiServer = Forking  # type: ignore[misc]
    grpc_command()
