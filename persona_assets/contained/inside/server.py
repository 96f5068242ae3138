"""The fork server: asked for one program after the other, it forks a process for each, watches it and ends it.

It has one thread, as a fork copies no other, and an empty environment. It reads nothing that a program writes: bytes
are passed on. Frames on its standard input and output are four bytes of length and so many bytes.
"""

import gc
import importlib
import json
import mmap
import os
import platform
import resource
import select
import signal
import sys
import sysconfig
import time
from contextlib import suppress
from math import ceil
from pathlib import Path

from persona_assets.contained.inside import child, kernel, landlock, seccomp

# Thread pools would be threads, and reserve memory.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Imported before the first program: what programs import most, and what loads libraries from folders they cannot read.
STANDARD = (
    *("abc", "array", "base64", "bisect", "calendar", "cmath", "collections", "copy", "csv", "dataclasses", "datetime"),
    *("decimal", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "io", "itertools", "json", "math"),
    *("operator", "pprint", "random", "re", "secrets", "sqlite3", "statistics", "string", "struct", "textwrap", "time"),
    *("typing", "unicodedata", "uuid", "zlib", "zoneinfo"),
)
# Parts that packages import when they are first needed, and most programs need; those with a `seed` get one.
PARTS = {
    "numpy": ("numpy.random",),
    "sympy": (
        *("sympy.core.random", "sympy.combinatorics", "sympy.integrals.heurisch", "sympy.integrals.manualintegrate"),
        *("sympy.integrals.risch", "sympy.physics.matrices", "sympy.physics.units", "sympy.tensor.tensor"),
    ),
}
SEED = 0
FOREIGN = ("site-packages", "dist-packages")  # folders of the standard library's that hold what is not of it
STEP = 16 << 20  # how closely the address space in use is known
MOST = 16 << 30
READ_BYTES = 1 << 16


def main() -> None:
    """Serve until the standard input ends. Arguments: a JSON object of what `Server` takes."""
    options = json.loads(sys.argv[1])
    try:
        server = Server(**options)
    except (ImportError, OSError) as error:
        _send(json.dumps({"why": str(error)}).encode())
        return
    _send(b"{}")
    os.dup2(server.null, 2)
    with suppress(EOFError, BrokenPipeError):
        while True:
            for part in server.run(_receive(), _receive()):
                _send(part)


class Server:
    """Made once per process, before any program runs."""

    def __init__(
        self,
        root: str,
        folders: list[str],
        packages: list[str],
        confine: bool,
        seconds: float,
        megabytes: int,
        most: int,
    ) -> None:
        """`folders` is where the packages are, `root` where our own is, `most` the bytes that a program may say."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (child.DESCRIPTORS, child.DESCRIPTORS))
        _load(folders, packages)
        sys.path.remove(root)
        self.null = os.open(os.devnull, os.O_RDWR)
        self.most, self.seconds, self.pid = most, seconds, os.getpid()
        rules = landlock.ruleset(*_readable(folders)) if confine else None
        kernel.give_up_privileges()
        self.walls = child.Walls(
            rules, seccomp.program(os.uname().machine), ceil(seconds) + 1, _mapped() + (megabytes << 20)
        )
        gc.collect()
        gc.freeze()  # else the first collection in each child would copy all that is loaded

    def run(self, source: bytes, calls: bytes) -> tuple[bytes, bytes, bytes]:
        """Run one program to its end. Returns JSON on how it ended, what it printed, and what it reported."""
        (out, its_out), (report, its_report) = os.pipe(), os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if not pid:
            try:
                child.enter(self.walls, self.null, its_out, its_report, self.pid)
                child.execute(source, calls)
                os._exit(0)
            finally:
                os._exit(1)
        os.close(its_out)
        os.close(its_report)
        end, said = self._watch(pid, out, report, started + self.seconds)
        if end != "exit":
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(out)
        os.close(report)
        how = {"end": end, "status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}
        return json.dumps(how).encode(), bytes(said[out][: self.most]), bytes(said[report][: self.most])

    def _watch(self, pid: int, out: int, report: int, deadline: float) -> tuple[str, dict[int, bytearray]]:
        """Take what a child writes until it has ended, has written too much, or time is up."""
        said = {out: bytearray(), report: bytearray()}
        handle = os.pidfd_open(pid)
        poll = select.poll()
        for descriptor in (out, report, handle):
            poll.register(descriptor, select.POLLIN)
        try:
            while (left := deadline - time.monotonic()) > 0:
                ready = {descriptor for descriptor, _ in poll.poll(left * 1000 + 1)}
                for descriptor in ready & said.keys():
                    if data := os.read(descriptor, READ_BYTES):
                        said[descriptor] += data
                    else:
                        poll.unregister(descriptor)
                if max(map(len, said.values())) > self.most:
                    return "output", said
                if ready == {handle}:  # and nothing is left in the pipes
                    return "exit", said
            return "timeout", said
        finally:
            os.close(handle)


def _load(folders: list[str], packages: list[str]) -> None:
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    for name in STANDARD:
        with suppress(ImportError):  # Pythons are built with fewer modules too
            importlib.import_module(name)
    sys.path += folders
    for name in packages:
        for part in (name, *PARTS.get(name, ())):
            seed = getattr(importlib.import_module(part), "seed", None)
            if seed is not None:
                seed(SEED)
    # The call `uname` is not allowed, so this is all that programs learn of the machine: not its name.
    known = platform.uname()
    hidden = platform.uname_result(known.system, "", known.release, known.version, known.machine)
    platform._uname_cache = hidden  # type: ignore[attr-defined]
    for folder in folders:
        sys.path.remove(folder)  # what is loaded finds its own parts, and nothing else is found
    os.environ.clear()


def _readable(folders: list[str]) -> tuple[set[Path], set[Path]]:
    """What Python may have to read yet: its standard library and the packages that are loaded; and what it lists."""
    standard = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    standard = {folder for folder in standard if folder.is_dir()}
    readable = {entry for folder in standard for entry in folder.iterdir() if entry.name not in FOREIGN}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and "." not in name:
            path = Path(file).parent if hasattr(module, "__path__") else Path(file)
            libraries = path.parent / f"{name}.libs"  # where wheels put what they bring
            if str(path.parent) in folders:
                readable |= {path, libraries} if libraries.is_dir() else {path}
    return readable, standard


def _mapped() -> int:
    """The address space in use, to the next step above: the lowest limit under which a page can still be mapped.

    `/proc` would say so, but is not there in a mount namespace of ours.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = MOST if before[1] == resource.RLIM_INFINITY else min(MOST, before[1])
    try:
        while limit > STEP:
            resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
            mmap.mmap(-1, mmap.PAGESIZE).close()
            limit -= STEP
    except (OSError, MemoryError):
        pass
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    return limit + STEP


def _receive() -> bytes:
    return _exactly(int.from_bytes(_exactly(4), "big"))


def _exactly(count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        if not (more := os.read(0, count - len(data))):
            raise EOFError
        data += more
    return bytes(data)


def _send(data: bytes) -> None:
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(1, data) :]
