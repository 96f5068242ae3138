"""Asking again what was set aside: real steps over a server on the loopback address, which cuts, thinks and errs."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from persona_assets.again import Marked, ask_again
from persona_assets.engines.openai import faults
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.asked_again import AskedAgain
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage.audit import audit
from persona_assets.personas.extract import extract_personas
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets.steps.model import Context, Report
from persona_assets_tests.engines.server import Body, Server, completion, serve
from persona_assets_tests.plan.work import PAGES, Work

NAME = EXTRACTED_PERSONAS.name
SHARD = "d.0000"
LIMIT, HIGHER = 2048, 8192
WRONG = '{"people": "none"}'


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


def prompt(body: Body) -> str:
    return next(str(message["content"]) for message in body["messages"] if message["role"] == "user")


def page(body: Body) -> int:
    return next(number for number, text in enumerate(PAGES) if text[:40] in prompt(body))


def personas(body: Body) -> str:
    """A right answer; another one for every page, limit and seed."""
    words = f"who keeps notes on page {page(body)} and has {body['max_tokens'] + body['seed']} of them in a drawer"
    both = [
        {"relation": relation, "persona": f"A person {words} to {relation} later"} for relation in ("read", "write")
    ]
    return orjson.dumps({"personas": both}).decode()


def thinks_long(body: Body) -> tuple[int, Body] | None:
    """Of pages 0 and 1 the answer is cut, unless it may be longer."""
    if page(body) > 1 or body["max_tokens"] >= HIGHER:
        return None
    return 200, completion("<think>Who would read this? Perhaps" if page(body) else '{"personas": [{"rel', "length")


@pytest.fixture
def work(tmp_path: Path) -> Work:
    places = {"lake": str(tmp_path / "lake"), "dumps": str(tmp_path / "dumps")}
    lenient = {"max_reject_rate": 1, "max_parse_failure_rate": 1}
    work = Work(tmp_path, Settings(files_per_shard=1, settle_s=0, **places, **lenient))
    work.drop("d", "a.jsonl", 0, 1, 2, 3)
    work.run(until="raw_documents")
    return work


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(personas, own=thinks_long) as server:
        yield server


def settings_of(work: Work, server: Server, **values: Any) -> Settings:
    chosen = {"engine": "openai", "model": "m", "base_url": server.url, "max_retries": 1}
    return work.having(**chosen | values).settings


def run(work: Work, server: Server, shard: str = SHARD, **values: Any) -> Report:
    """Make the shard's personas, whatever there is."""
    settings = settings_of(work, server, **values)
    state = LakeState(work.lake, settings)
    return extract_personas(Context(work.lake, settings, OpenAIEngine(settings), "run", keeper=state), shard)


def again(work: Work, server: Server, *reasons: str, max_tokens: int | None = None) -> list[Marked]:
    return ask_again(LakeState(work.lake, settings_of(work, server)), reasons, lambda *_: True, max_tokens)


def standing(work: Work, server: Server, shard: str = SHARD) -> State:
    return LakeState(work.lake, settings_of(work, server)).of(NAME, shard).state


def rows(work: Work) -> dict[str, str]:
    """Call by id of the row."""
    return dict(work.lake.read(EXTRACTED_PERSONAS, SHARD).select("persona_id", "call_id").iter_rows())


def asked(server: Server, since: int = 0) -> Counter[tuple[int, int]]:
    """Pages with the limits that they were asked under."""
    return Counter((page(body), body["max_tokens"]) for body in server.bodies[since:])


def test_only_what_was_cut_is_asked_again_with_the_higher_limit(work: Work, server: Server) -> None:
    report = run(work, server)
    assert dict(report.rejected) == {"truncated": 1, "truncated_thought": 1}
    before, since = rows(work), len(server.bodies)
    assert again(work, server, "truncated", "truncated_thought", max_tokens=HIGHER) == [Marked(NAME, SHARD, 2)]
    report = run(work, server)
    assert asked(server, since) == {(0, HIGHER): 1, (1, HIGHER): 1}
    assert (dict(report.rejected), report.calls_made) == ({}, 2)
    assert before.items() < rows(work).items()


def test_one_reason_leaves_the_others_alone(work: Work, server: Server) -> None:
    run(work, server)
    since = len(server.bodies)
    again(work, server, "truncated_thought", max_tokens=HIGHER)
    assert dict(run(work, server).rejected) == {"truncated": 1}
    assert asked(server, since) == {(1, HIGHER): 1}


def test_a_partition_is_open_until_it_is_made_and_done_after_it(work: Work, server: Server) -> None:
    run(work, server)
    assert standing(work, server) is State.DONE
    again(work, server, "truncated", max_tokens=HIGHER)
    assert standing(work, server) is State.UNANSWERED
    run(work, server)
    assert standing(work, server) is State.DONE


def test_later_runs_find_the_new_answers_and_pay_nothing(work: Work, server: Server) -> None:
    run(work, server)
    again(work, server, "truncated", max_tokens=HIGHER)
    run(work, server)
    content, since = rows(work), len(server.bodies)
    report = run(work, server)
    assert (report.calls_made, len(server.bodies), rows(work)) == (0, since, content)


def test_what_was_marked_and_not_made_is_not_marked_again(work: Work, server: Server) -> None:
    run(work, server)
    since = len(server.bodies)
    for limit in (HIGHER, 2 * HIGHER):
        assert again(work, server, "truncated", max_tokens=limit) == [Marked(NAME, SHARD, 1)]
    assert AskedAgain(work.lake).times(NAME) == {SHARD: 1}
    run(work, server)
    assert asked(server, since) == {(0, HIGHER): 1}


def test_what_is_cut_again_can_be_asked_a_third_time(work: Work, server: Server) -> None:
    run(work, server)
    for limit in (LIMIT + 1, LIMIT + 2, HIGHER):
        again(work, server, "truncated", max_tokens=limit)
        report = run(work, server)
    assert dict(report.rejected) == {"truncated_thought": 1}
    assert [limit for (number, limit), _ in sorted(asked(server).items()) if number == 0] == [
        LIMIT,
        LIMIT + 1,
        LIMIT + 2,
        HIGHER,
    ]
    assert run(work, server).calls_made == 0


def test_an_answer_that_cannot_be_read_is_asked_for_again_with_another_seed_and_its_repair_too(work: Work) -> None:
    wrong = {0}

    def own(body: Body) -> tuple[int, Body] | None:
        return (200, completion(WRONG)) if page(body) in wrong else None

    with serve(personas, own=own) as server:
        assert dict(run(work, server).rejected) == {"parse_failure": 1}
        again(work, server, "parse_failure")
        since = len(server.bodies)
        assert dict(run(work, server).rejected) == {"parse_failure": 1}
        assert [body["seed"] for body in server.bodies[since:]] == [1009, 1009]  # the question and its repair
        wrong.clear()
        assert run(work, server).calls_made == 0
        again(work, server, "parse_failure")
        assert dict(run(work, server).rejected) == {}


def test_a_question_that_was_refused_is_asked_again(work: Work) -> None:
    refused = {0}

    def own(body: Body) -> tuple[int, Body] | None:
        words = "Your input was flagged by moderation"
        return (403, {"error": {"message": words}}) if page(body) in refused else None

    with serve(personas, own=own) as server:
        assert dict(run(work, server).rejected) == {"bad_request": 1}
        assert standing(work, server) is State.DONE
        refused.clear()
        again(work, server, "bad_request")
        assert standing(work, server) is State.UNANSWERED
        assert (dict(run(work, server).rejected), standing(work, server)) == ({}, State.DONE)


def test_a_reason_for_which_nothing_was_set_aside_is_refused_with_those_that_there_are(
    work: Work, server: Server
) -> None:
    run(work, server)
    with pytest.raises(UsageError, match=r"no answer was set aside as parse_failure; there are: truncated"):
        again(work, server, "parse_failure")
    assert AskedAgain(work.lake).times(NAME) == {}


def test_shards_that_share_a_prompt_share_the_new_answer(work: Work, server: Server) -> None:
    work.drop("e", "a.jsonl", 0)
    work.run(until="raw_documents")
    run(work, server)
    run(work, server, "e.0000")
    since = len(server.bodies)
    again(work, server, "truncated", max_tokens=HIGHER)
    run(work, server)
    report = run(work, server, "e.0000")
    assert (report.calls_made, report.kept) == (0, 2)
    assert asked(server, since) == {(0, HIGHER): 1}


def test_rows_of_asked_again_answers_are_audited(work: Work, server: Server) -> None:
    run(work, server)
    before = set(rows(work))
    again(work, server, "truncated", "truncated_thought", max_tokens=HIGHER)
    run(work, server)
    new = set(rows(work)) - before
    assert len(new) == 4
    for row_id in new:
        found = audit(work.lake, settings_of(work, server), row_id)
        assert found.ok, found.failures
    call = Ledger(work.lake).find(rows(work)[min(new)])
    assert call is not None
    assert orjson.loads(call.sampling)["asking"] == 1
    assert orjson.loads(call.sampling)["max_tokens"] == HIGHER


def test_a_damaged_note_is_named(work: Work, server: Server) -> None:
    run(work, server)
    again(work, server, "truncated")
    path = f"{work.settings.lake}/asked_again/{NAME}/{SHARD}/1.json"
    Path(path).write_text("{}", encoding="utf-8")
    with pytest.raises(PersonaAssetsError, match="does not say what was asked again"):
        run(work, server)


# The command


def environment(work: Work, server: Server) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERSONA_", "DAGSTER_"))}
    own = {
        "LAKE": work.settings.lake,
        "DUMPS": work.settings.dumps,
        "ENGINE": "openai",
        "MODEL": "m",
        "BASE_URL": server.url,
        "HOPS": "0",
        "MAX_REJECT_RATE": "1",
        "MAX_PARSE_FAILURE_RATE": "1",
        "SETTLE_S": "0",
        "FILES_PER_SHARD": "1",
        "CONCURRENCY": "1",
    }
    return kept | {f"PERSONA_{name}": value for name, value in own.items()}


def command(work: Work, server: Server, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "persona_assets", "run", "--asset", "raw_documents", "--asset", NAME, *arguments],
        cwd=work.folder,
        env=environment(work, server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_killed_command_goes_on_where_it_was_and_pays_nothing_twice(tmp_path: Path) -> None:
    work = Work(tmp_path, Settings(lake=str(tmp_path / "lake"), dumps=str(tmp_path / "dumps")))
    work.drop("d", "a.jsonl", 0, 1, 2, 3, 4)

    def cut(body: Body) -> tuple[int, Body] | None:
        if body["max_tokens"] >= HIGHER:
            return None
        return 200, completion('{"personas": [{"rel', "length")

    with serve(personas, own=cut) as server:
        told = command(work, server).communicate(timeout=300)
        assert asked(server) == Counter({(number, LIMIT): 1 for number in range(5)}), told
        server.delay_s = 0.7
        killed = command(work, server, "--again", "truncated", "--max-tokens", str(HIGHER))
        while len(server.bodies) < 8:
            assert killed.poll() is None, killed.communicate()
            time.sleep(0.05)
        time.sleep(0.4)  # an answer is stored within 0.2 s
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        server.delay_s = 0.0
        before = Ledger(Lake(work.settings.lake)).scan().collect().height
        assert before >= 6  # some of the new answers were stored
        out, err = command(work, server).communicate(timeout=300)  # a plain run
        new = [count for (_, limit), count in asked(server).items() if limit == HIGHER]
        assert len(new) == 5, (out, err)
        assert sum(new) <= 6  # the one in flight at the kill is asked a second time
        calls = Ledger(Lake(work.settings.lake)).scan().collect()
        assert calls.height == calls["call_id"].n_unique() == 10
        since = len(server.bodies)
        out, err = command(work, server, "--again", "truncated").communicate(timeout=300)
        assert "no answer was set aside as truncated" in err
        assert len(server.bodies) == since


def test_a_limit_is_for_what_is_asked_again(work: Work, server: Server) -> None:
    _, err = command(work, server, "--max-tokens", "9000").communicate(timeout=120)
    assert "--max-tokens is for --again" in err
