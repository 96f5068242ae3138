"""Processes that want the lease of one partition, to be stopped and killed by the tests."""

import multiprocessing
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.heartbeat import Timing
from persona_assets.lake.leases import LeaseLost, hold

ASSET, KEY = "extracted_personas", "d.0000"
TIMING = Timing(beat_s=0.05, stale_s=0.6, poll_s=0.02)
# A server that has imported this module forks the children: hundreds a second, and none inherits a thread.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def start(target: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
    """A child, and the connection that its function is given as the first argument."""
    ours, theirs = FORKS.Pipe()
    process = FORKS.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def commit_when_told(line: Connection, root: str, run_id: str) -> None:
    """Hold the lease, say its generation, and commit when told to; say what became of it."""
    with hold(Lake(root), ASSET, KEY, run_id=run_id, timing=TIMING) as lease:
        line.send((lease.generation, lease.waited))
        line.recv()
        try:
            lease.commit(run_id.encode())
            line.send("committed")
        except LeaseLost as error:
            line.send(str(error))


def commit_for_ever(line: Connection, root: str, seed: int) -> None:
    """Commit one generation after another, and leave some without a commit."""
    draw = random.Random(seed)
    while True:
        with hold(Lake(root), ASSET, KEY, run_id=f"r{seed}", timing=TIMING) as lease:
            time.sleep(draw.random() / 200)
            if draw.random() < 0.7:
                lease.commit(f"{seed} {lease.generation}".encode())


def on_another_machine(line: Connection, root: str, run_id: str) -> None:
    """`commit_when_told` of a process that others cannot look up."""
    heartbeat._machine = lambda: "another machine"  # type: ignore[assignment]
    commit_when_told(line, root, run_id)
