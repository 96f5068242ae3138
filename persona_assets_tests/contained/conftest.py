import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from persona_assets.contained import process
from persona_assets.contained.pool import Contained

SECRET = "the secret"
WALLS = ("landlock", "bubblewrap")


@dataclass
class World:
    """What a hostile program could harm: files, listeners, and a process beside it."""

    folder: Path
    tcp: socket.socket
    udp: socket.socket
    unix: socket.socket
    abstract: socket.socket
    victim: subprocess.Popen[bytes]
    before: object = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.look()

    def names(self) -> dict[str, object]:
        """What a program is told."""
        return {
            "folder": str(self.folder),
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "abstract": self.abstract.getsockname(),
            "victim": self.victim.pid,
        }

    def look(self) -> object:
        """Everything about the files that a program may have changed, and how often the process is to be nice."""
        stats = {path.name: path.lstat() for path in sorted(self.folder.iterdir())}
        files = {name: (stat.st_mode, stat.st_nlink, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}
        return files, (self.folder / "secret").read_text(), os.getpriority(os.PRIO_PROCESS, self.victim.pid)

    def assert_untouched(self) -> None:
        """No file was changed, nobody connected, and the process is alive."""
        assert self.victim.poll() is None
        assert self.look() == self.before
        for listener in (self.tcp, self.unix, self.abstract):
            with pytest.raises(BlockingIOError):
                listener.accept()
        with pytest.raises(BlockingIOError):
            self.udp.recv(1)


def make(folder: Path) -> Iterator[World]:
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)]
    kinds += [(socket.AF_UNIX, socket.SOCK_STREAM)] * 2
    sockets = [socket.socket(*kind) for kind in kinds]
    places = [("127.0.0.1", 0), ("127.0.0.1", 0), str(folder / "socket"), f"\0persona-assets-{os.urandom(8).hex()}"]
    for one, place in zip(sockets, places, strict=True):
        one.bind(place)
        one.setblocking(False)
        if one.type == socket.SOCK_STREAM:
            one.listen()
    victim = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
    try:
        yield World(folder, *sockets, victim)
    finally:
        victim.kill()
        victim.wait()
        for one in sockets:
            one.close()


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from make(tmp_path_factory.mktemp("world"))


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    yield from make(tmp_path)


@pytest.fixture(scope="package", params=WALLS)
def contained(request: pytest.FixtureRequest) -> Iterator[Contained]:
    """Programs get a second; one server, so that all run in what the one before left."""
    if why := process.why_not(request.param):
        pytest.skip(f"{request.param}: {why}")
    with Contained(seconds=1, megabytes=256, workers=1, mechanism=request.param) as running:
        yield running
