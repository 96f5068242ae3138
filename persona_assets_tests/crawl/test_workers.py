"""Records are examined in other processes, in order, and one that takes too long or ends its process is a reject."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from persona_assets.crawl.examine import Candidate, examine
from persona_assets.crawl.items import Page, Refused, Row
from persona_assets.crawl.workers import Job, Workers
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, html

# A paragraph of so many elements that extraction, which walks from each to the next, is busy for long.
SLOW = b"<html><body><p>" + b"".join(b"<b>w%d</b> <i>x</i> " % n for n in range(60_000)) + b"</p></body></html>"


def page(number: int, body: bytes | None = None) -> Page:
    return Page(number, html(EN.format(number)) if body is None else body, "file", "html", "text/html")


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers(2)
    yield made
    made.close()


def test_what_comes_of_records_is_as_it_would_be_here_and_in_order(workers: Workers) -> None:
    jobs = [Job([page(n), Row(n, {"text": EN.format(n)})], "html", n) for n in range(20)]
    found = list(workers.examine(iter(jobs), Settings()))
    assert [job.about for job, _ in found] == list(range(20))
    assert [one for _, examined in found for one in examined] == [
        one for job in jobs for one in examine(job.records, job.form, Settings())
    ]


def test_a_bounded_number_of_jobs_is_held(workers: Workers) -> None:
    asked = 0

    def jobs() -> Iterator[Job]:
        nonlocal asked
        for asked in range(1, 101):  # noqa: B007 - the test looks at it
            yield Job([Row(0, {"text": EN})], "jsonl")

    found = workers.examine(jobs(), Settings())
    next(found)
    assert asked < 12
    found.close()


def test_a_page_that_takes_too_long_is_a_reject_and_the_others_are_read(workers: Workers) -> None:
    jobs = [Job([page(0), page(1, SLOW), page(2)], "html"), Job([page(3)], "html")]
    started = time.monotonic()
    [(_, three), (_, last)] = workers.examine(iter(jobs), Settings(page_seconds=3))
    assert time.monotonic() - started < 60
    assert [type(one) for one in (*three, *last)] == [Candidate, Refused, Candidate, Candidate]
    assert isinstance(three[1], Refused)
    assert (three[1].offset, three[1].reason) == (1, "too_slow")
    assert "3 s" in three[1].detail


def test_a_page_that_ends_its_process_is_a_reject_and_the_next_is_read() -> None:
    one = Workers(1)
    [child] = one._children

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not child._asked and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child._process
        os.kill(child._process.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    jobs = [Job([page(0, SLOW)], "html"), Job([page(1)], "html")]
    [(_, [slow]), (_, [good])] = one.examine(iter(jobs), Settings())
    thread.join()
    one.close()
    assert isinstance(slow, Refused)
    assert (slow.offset, slow.reason) == (0, "reader_ended")
    assert isinstance(good, Candidate)


def test_an_error_of_use_is_raised_here(workers: Workers) -> None:
    with pytest.raises(UsageError, match="PERSONA_COLUMNS maps nothing"):
        list(workers.examine(iter([Job([Row(0, {"text": EN})], "jsonl")]), Settings(columns="nothing=x")))


def test_two_callers_share_the_processes(workers: Workers) -> None:
    first, second = (workers.examine(iter([Job([page(n)], "html", n) for n in range(9)]), Settings()) for _ in range(2))
    assert [(one.about, other.about) for (one, _), (other, _) in zip(first, second, strict=True)] == [
        (n, n) for n in range(9)
    ]


def test_a_program_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persona_assets.crawl.workers.WORKER", "persona_assets.nothing")
    with pytest.raises(PersonaAssetsError, match="no process to read pages in can be started"):
        list(Workers(1).examine(iter([Job([page(0)], "html")]), Settings()))
