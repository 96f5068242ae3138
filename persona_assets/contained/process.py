"""A fork server, seen from this process: started, asked, started again once it is gone, ended.

This process has threads and is never forked: the server is a new program, and its children are forked from that.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import persona_assets
from persona_assets.contained.programs import Ended

Walls = Literal["landlock", "bubblewrap"]
ROOT = str(Path(persona_assets.__file__).parent.parent)
MACHINES = ("x86_64", "aarch64")  # whose system calls are listed
START_S = 120.0  # importing packages from a slow disk takes seconds; a start that takes longer has hung
GRACE_S = 30.0  # beyond a program's time, on a machine that is busy with other things, until its server has hung
ERROR_BYTES = 2_000  # of what a server that does not start says
BOOT = "import sys; sys.path.insert(0, {root!r}); from persona_assets.contained.inside.server import main; main()"
# A server is used once a program that tries has found the walls standing.
TRIAL = b"""
import os, socket
def refused(attempt):
    try:
        attempt()
    except OSError:
        return 1
    return 0
attempts = (
    os.fork, socket.socket, lambda: os.kill(os.getppid(), 0), lambda: os.open("/dev/null", os.O_WRONLY),
    lambda: os.open("/proc/self/environ", os.O_RDONLY),
)
print("refused", sum(map(refused, attempts)))
"""
PASSED = b"refused 5\n"


class Gone(Exception):
    """The server has ended or hung; the message says why."""


class NotStarted(Gone):
    """It did not start, or what it runs is not contained."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use: seconds on the clock, MB beside what the packages take, bytes to print and to return."""

    seconds: float = 5
    megabytes: int = 512
    output_bytes: int = 64 << 10


class Server:
    """One fork server, which runs one program at a time. Not for two threads at once."""

    def __init__(self, walls: Walls, limits: Limits, packages: tuple[str, ...]) -> None:
        """Nothing is started yet."""
        self._walls, self._limits, self._packages = walls, limits, packages
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, source: bytes, calls: bytes) -> Ended:
        """Run one program; starts the server where there is none.

        Raises:
            NotStarted: there is no server that contains it.
            Gone: the server was lost over it; the next call starts another one.
        """
        if self._process is None:
            self.start()
        try:
            return self._ask(source, calls)
        except Gone:
            self.stop()
            raise

    def start(self) -> None:
        """Start it and try its walls.

        Raises:
            NotStarted: it did not, or does not contain.
        """
        process = self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PYTHONHASHSEED": "0"},  # so that sets print in one order; the server empties it
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            self._greet()
        except Gone as gone:
            self.stop()
            assert process.stderr is not None
            said = process.stderr.read(ERROR_BYTES).decode(errors="replace").strip().splitlines()
            raise NotStarted(said[-1] if said else str(gone)) from gone
        finally:
            if process.stderr is not None:
                process.stderr.close()

    def _greet(self) -> None:
        hello = json.loads(self._receive(time.monotonic() + START_S))
        if "why" in hello:
            raise Gone(hello["why"])
        trial = self._ask(TRIAL, b"[]")
        if trial.report[:1] != b"1" or trial.output != PASSED:
            raise Gone("a trial was not contained")

    def stop(self) -> None:
        """End it and what it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()

    def _ask(self, source: bytes, calls: bytes) -> Ended:
        assert self._process is not None and self._process.stdin is not None
        deadline = time.monotonic() + self._limits.seconds + GRACE_S
        try:
            for part in (source, calls):
                self._process.stdin.write(len(part).to_bytes(4, "big") + part)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise Gone("the server has ended") from error
        how, output, report = (self._receive(deadline) for _ in range(3))
        return Ended(**json.loads(how), output=output, report=report)

    def _receive(self, deadline: float) -> bytes:
        return self._exactly(int.from_bytes(self._exactly(4, deadline), "big"), deadline)

    def _exactly(self, count: int, deadline: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        data = bytearray()
        while len(data) < count:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise Gone("the server gave no answer")
            if not (more := os.read(descriptor, count - len(data))):
                raise Gone("the server has ended")
            data += more
        return bytes(data)

    # How it is started

    def _command(self) -> list[str]:
        folders = sorted({folder for name in self._packages for folder in folders_of(name)})
        options = {
            "root": ROOT,
            "folders": folders,
            "packages": self._packages,
            "confine": self._walls == "landlock",
            "seconds": self._limits.seconds,
            "megabytes": self._limits.megabytes,
            "most": self._limits.output_bytes,
        }
        python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        # No user's folder, no working folder and no .pth files: what is imported is what is named here.
        command = [python, "-s", "-P", "-S", "-B", "-X", "utf8", "-c", BOOT.format(root=ROOT), json.dumps(options)]
        return [*_mounts(folders), *command] if self._walls == "bubblewrap" else command


def folders_of(package: str) -> list[str]:
    """The folder that a package is imported from; none where it is not installed."""
    spec = find_spec(package)
    return [str(Path(place).parent) for place in (spec.submodule_search_locations or [])] if spec else []


def _mounts(folders: list[str]) -> list[str]:
    """Bubblewrap, showing nothing but what Python reads, read-only; without a network or other processes."""
    shown = [*("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache"), sys.base_prefix, ROOT, *folders]
    binds = [part for path in shown for part in ("--ro-bind-try", path, path)]
    walls = ["--unshare-all", "--cap-drop", "ALL", *binds, "--dev-bind", os.devnull, os.devnull, "--remount-ro", "/"]
    return [shutil.which("bwrap") or "bwrap", *walls, "--chdir", "/", "--"]


def why_not(walls: Walls) -> str:
    """Why these do not contain a program here; empty where they do, which is tried."""
    if sys.platform != "linux" or os.uname().machine not in MACHINES or sys.maxsize < 1 << 32:
        return f"needs Linux on {' or '.join(MACHINES)}"
    if walls == "bubblewrap" and shutil.which("bwrap") is None:
        return "bwrap is not on the PATH"
    server = Server(walls, Limits(), ())
    try:
        server.start()
    except NotStarted as gone:
        return str(gone)
    finally:
        server.stop()
    return ""
