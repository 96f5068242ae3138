"""`dagster api grpc`, a code server whose runs start at once: processes of their own as ever, but forked, not spawned.

They are forked from a process that has imported the libraries and nothing of `persona_assets.defs`, so that each run
still loads the code location by itself, as a spawned one does. Of a spawned run, imports are most of what it takes.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext
from typing import Any

from dagster._grpc.server import DagsterApiServer

# Not `persona_assets.plan`: importing it computes with polars, whose threads would not be in the forks.
LIBRARIES = [
    *("dagster", "dagster._grpc.server", "duckdb", "polars", "pyarrow.parquet"),
    *("persona_assets.checks.gates", "persona_assets.engines.select"),
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
