"""`run` at a terminal asks before it makes what is stale and takes calls. The tests share a lake and stand in order."""

import os
import pty
import re
import subprocess
import sys

import pytest

from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Ledger
from persona_assets_tests.plan.work import Work

COMMAND = [sys.executable, "-m", "persona_assets", "run"]
QUESTION = re.compile(
    r"(\d+) partitions are stale and need ~?(\d+) calls, with what is made from them, about [\d.]+ of"
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    from persona_assets.settings import Settings

    folder = tmp_path_factory.mktemp("asking")
    work = Work(folder, Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps")))
    work.drop("d", "a.jsonl", 0, 1)
    return work


def environment(work: Work, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERSONA_", "DAGSTER_"))}
    own = {"LAKE": work.settings.lake, "DUMPS": work.settings.dumps, "HOPS": "1", "FANOUT": "1", "PRICE_OUT": "50"}
    return kept | {f"PERSONA_{name}": value for name, value in (own | settings).items()}


def at_a_terminal(work: Work, answer: bytes, **settings: str) -> tuple[int, str]:
    """Exit code and all that a run shows, where the question is answered like this."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        COMMAND, cwd=work.folder, env=environment(work, **settings), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown, answered = b"", False
    while True:
        try:
            got = os.read(ours, 65536)
        except OSError:  # the terminal is gone with the process
            break
        shown += got
        if not answered and b"[y/N]" in shown:
            os.write(ours, answer)
            answered = True
    os.close(ours)
    return process.wait(), shown.decode()


def calls(work: Work) -> set[str]:
    return set(Ledger(Lake(work.settings.lake)).scan().select("call_id").collect()["call_id"])


def test_a_run_without_a_terminal_does_not_ask(work: Work) -> None:
    for settings in ({}, {"TEMPERATURE": "0.1"}):
        done = subprocess.run(
            COMMAND,
            cwd=work.folder,
            env=environment(work, **settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "[y/N]" not in done.stdout + done.stderr
    assert "stale, kept as it is: extracted_personas d.0000 (temperature: 0.7, now 0.1)" in done.stderr


@pytest.mark.parametrize("answer", [b"\n", b"\x04"], ids=["enter", "end of input"])
def test_without_a_yes_nothing_is_asked_of_the_model(work: Work, answer: bytes) -> None:
    before = calls(work)
    code, shown = at_a_terminal(work, answer, TEMPERATURE="0.1")
    assert (code, shown.count("[y/N]")) == (0, 1)
    assert calls(work) == before


def test_on_yes_the_stale_partitions_are_made_and_the_question_told_what_it_takes(work: Work) -> None:
    before = calls(work)
    code, shown = at_a_terminal(work, b"y\n", TEMPERATURE="0.1")
    assert (code, shown.count("[y/N]")) == (0, 1)
    question = QUESTION.search(shown)
    assert question, shown
    made = len(calls(work) - before)
    assert (int(question[1]), made) == (8, int(question[2]))
    code, shown = at_a_terminal(work, b"", TEMPERATURE="0.1")
    assert "everything is materialised already" in shown
    assert "[y/N]" not in shown


def test_a_cap_holds_over_what_is_made_before_the_question_and_after_it(work: Work) -> None:
    work.drop("late", "b.jsonl", 2)
    before = calls(work)
    code, shown = at_a_terminal(work, b"y\n", TEMPERATURE="0.2", MAX_CALLS_PER_RUN="40")
    assert (code, shown.count("[y/N]")) == (1, 1)
    assert "budget reached" in shown
    assert len(calls(work) - before) == 40
