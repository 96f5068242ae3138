import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from persona_assets.contained import mechanism, process
from persona_assets.contained.mechanism import Containment, containment
from persona_assets.contained.pool import AHEAD, Contained, WalledRunner
from persona_assets.contained.process import NotStarted, Server
from persona_assets.contained.programs import Program
from persona_assets.errors import UsageError

WALLED = pytest.mark.skipif(containment().mechanism not in ("landlock", "bubblewrap"), reason=str(containment()))


def servers(contained: Contained) -> list[Server]:
    return [runner._server for runner in contained._runners if isinstance(runner, WalledRunner)]


def numbered(count: int, read: list[int]) -> Iterator[Program]:
    for number in range(count):
        read.append(number)
        yield Program(f"import time; time.sleep({0.1 if number % 10 == 0 else 0}); print({number})")


@WALLED
def test_many_come_back_in_their_order_with_few_read_ahead() -> None:
    read: list[int] = []
    most = 0
    with Contained(packages=(), workers=2) as contained:
        for number, run in enumerate(contained.run_many(numbered(100, read))):
            assert run.output == f"{number}\n"
            most = max(most, len(read) - number)
    assert len(read) == 100
    assert most <= AHEAD * 2 + 1


@WALLED
def test_what_is_not_wanted_any_more_does_not_run() -> None:
    read: list[int] = []
    with Contained(packages=(), workers=1) as contained:
        runs = contained.run_many(numbered(1000, read))
        next(runs)
        runs.close()  # type: ignore[attr-defined]  # a generator
        assert contained.run(Program("print('next')")).output == "next\n"
    assert len(read) < 100


@WALLED
def test_a_server_that_is_killed_is_started_again_and_no_program_is_lost() -> None:
    outputs = []
    with Contained(packages=(), workers=2) as contained:
        programs = (Program(f"import time; time.sleep(0.05); print({number})") for number in range(40))
        for run in contained.run_many(programs):
            outputs.append(run.output)
            if len(outputs) == 10:  # more are running by now
                before = [server._process.pid for server in servers(contained) if server._process is not None]
                for pid in before:
                    os.kill(pid, signal.SIGKILL)
        after = [server._process.pid for server in servers(contained) if server._process is not None]
    assert outputs == [f"{number}\n" for number in range(40)]
    assert len(before) == len(after) == 2 and not set(before) & set(after)


@WALLED
def test_a_server_that_dies_over_a_program_twice_is_the_programs_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.0)
    with Contained(seconds=0.2, packages=(), workers=1) as contained:
        assert contained.run(Program("print(1)")).output == "1\n"
        (server,) = servers(contained)

        def hang(source: bytes, calls: bytes) -> None:
            pid = server._process.pid if server._process else 0
            os.kill(pid, signal.SIGSTOP)  # a server that hangs is noticed by the clock
            return ask(source, calls)

        ask = server._ask
        monkeypatch.setattr(server, "_greet", lambda: process.json.loads(server._receive(time.monotonic() + 60)))
        monkeypatch.setattr(server, "_ask", hang)
        run = contained.run(Program("print(2)"))
        assert (run.outcome, run.detail) == ("killed", "the server gave no answer")
        monkeypatch.undo()
        assert contained.run(Program("print(3)")).output == "3\n"


@WALLED
def test_a_child_ends_with_its_server() -> None:
    with Contained(seconds=3, packages=(), workers=1) as contained:
        contained.run(Program("1"))
        (server,) = servers(contained)
        assert server._process is not None
        pid = server._process.pid
        running = threading.Thread(target=contained.run, args=(Program("while True: pass"),))
        running.start()
        while not (found := children(pid)):
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 2  # its own limit would take longer
        while any(map(alive, found)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.join(60)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@WALLED
def test_servers_are_gone_when_the_context_is() -> None:
    with Contained(packages=(), workers=2) as contained:
        list(contained.run_many([Program("1")] * 4))
        pids = [server._process.pid for server in servers(contained) if server._process is not None]
    assert pids and not any(alive(pid) for pid in pids)


@WALLED
def test_several_threads_may_ask() -> None:
    with Contained(packages=(), workers=2) as contained:
        outputs: dict[int, str] = {}
        threads = [
            threading.Thread(target=lambda n=n: outputs.update({n: contained.run(Program(f"print({n})")).output}))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert outputs == {n: f"{n}\n" for n in range(8)}


def test_where_nothing_contains_nothing_runs() -> None:
    with Contained(mechanism="none", packages=()) as contained:
        runs = list(contained.run_many([Program("print(1)"), Program("1/0")]))
    assert [(run.outcome, run.output) for run in runs] == [("not_contained", "")] * 2
    assert runs[0].detail


def test_a_server_whose_trial_gets_out_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PASSED", b"refused 6\n")
    with Contained(mechanism="landlock", packages=(), workers=1) as contained:
        run = contained.run(Program("print(1)"))
    assert (run.outcome, run.output) == ("not_contained", "")
    assert run.detail
    assert process.why_not("landlock")


def test_a_server_that_cannot_start_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BOOT", "raise SystemExit('no such thing')")
    server = Server("landlock", process.Limits(), ())
    with pytest.raises(NotStarted, match="no such thing"):
        server.start()
    with Contained(mechanism="landlock", packages=(), workers=1) as contained:
        assert contained.run(Program("1")).detail == "no such thing"


def test_a_package_that_is_not_installed_is_an_error_of_usage() -> None:
    with pytest.raises(UsageError, match="pip install no_such_package"):
        Contained(packages=("no_such_package",), mechanism="none")


def test_it_says_what_contains_and_why_nothing_stronger_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanism.process, "why_not", lambda walls: f"no {walls} here")
    monkeypatch.setattr(mechanism.monty, "why_not", lambda: "")
    assert str(containment.__wrapped__()) == ("monty (landlock: no landlock here; bubblewrap: no bubblewrap here)")
    monkeypatch.setattr(mechanism.monty, "why_not", lambda: "not installed")
    found = containment.__wrapped__()
    assert (found.mechanism, found.why[2]) == ("none", "monty: not installed")
    assert str(Containment("landlock")) == "landlock"


def test_without_bwrap_bubblewrap_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert process.why_not("bubblewrap") == "bwrap is not on the PATH"


def test_another_system_has_no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.sys, "platform", "darwin")
    assert process.why_not("landlock").startswith("needs Linux")
