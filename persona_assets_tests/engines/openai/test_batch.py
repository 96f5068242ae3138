import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, Request, Result, Sampling
from persona_assets.engines.openai import batch, faults
from persona_assets.engines.openai.batch import BatchEngine
from persona_assets.engines.select import make_engine
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.steps.model import Report
from persona_assets.steps.runner import Context
from persona_assets_tests.engines import tiny
from persona_assets_tests.engines.openai.batch_server import BatchServer, Line, good, refused, unasked
from persona_assets_tests.engines.server import Body, completion
from persona_assets_tests.engines.tiny import MODEL, TEMPLATE, mixed_reader, page, reader, table_of

SAMPLING = Sampling(0.7, 0.95, 100, 3)
KEY = "secret-key-of-the-test"
DOCUMENTS = 20


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer(reader).running() as running:
        yield running


def settings(url: str, **values: Any) -> Settings:
    chosen = {"engine": "openai", "batch": True, "model": MODEL, "batch_poll_s": 0.01, "max_retries": 4}
    return Settings(**chosen | {"base_url": url} | values)


def requests(*numbers: int) -> Iterator[Request]:
    for number in numbers:
        messages = TEMPLATE.render({"text": f"Page {number} on bees"})
        yield Request(f"call_{number}", messages, TEMPLATE.response_schema, SAMPLING, TEMPLATE)


def answers(server: BatchServer, lake: Lake, numbers: range, **values: Any) -> dict[int, Result]:
    engine = make_engine(settings(server.url, **values), lake)
    assert isinstance(engine, BatchEngine)
    found = [result for results in engine.stream(requests(*numbers)) for result in results]
    assert len(found) == len({result.call_id for result in found})
    return {int(result.call_id.removeprefix("call_")): result for result in found}


def submit(server: BatchServer, lake: Lake, numbers: range, **values: Any) -> None:
    """A run that is closed when it has submitted its batches."""
    engine = BatchEngine(settings(server.url, **values), lake)

    def then_close() -> Iterator[Request]:
        yield from requests(*numbers)
        engine.close()

    assert sum(len(results) for results in engine.stream(then_close())) == 1  # the one asked online


def failures(results: dict[int, Result]) -> dict[int, tuple[str, str]]:
    return {number: (result.reason, result.detail) for number, result in results.items() if isinstance(result, Failure)}


def completed(results: dict[int, Result]) -> set[int]:
    return {number for number, result in results.items() if isinstance(result, Completion)}


def run_step(server: BatchServer, lake: Lake, count: int = DOCUMENTS, **values: Any) -> Report:
    chosen = settings(server.url, lake=lake.root, **values)
    return tiny.run_step(Context(lake, chosen, make_engine(chosen, lake), "run"), count)


def records(lake: Lake) -> list[Path]:
    return sorted(Path(lake.root).glob("batches/*.json"))


def paid_once(server: BatchServer) -> bool:
    return set(server.asked.values()) == {1}


# Answers


def test_the_first_question_is_asked_online_and_the_rest_in_one_batch(server: BatchServer, lake: Lake) -> None:
    results = answers(server, lake, range(50))
    assert completed(results) == set(range(50))
    assert (server.online, len(server.batches), server.calls["upload"] + server.calls["files"]) == (1, 1, 1)
    assert paid_once(server)
    assert len(server.asked) == 50


def test_an_answer_has_its_text_its_usage_and_the_time_of_its_batch(server: BatchServer, lake: Lake) -> None:
    one = answers(server, lake, range(3))[2]
    assert one == Completion("call_2", '{"persona": "A beekeeper who reads page 2"}', "stop", 11, 7, 60.0)


def test_nothing_is_sent_to_be_scored(server: BatchServer, lake: Lake) -> None:
    engine = make_engine(settings(server.url), lake)
    asked = [replace(request, scores=request.call_id != "call_2") for request in requests(0, 1, 2)]
    results = {result.call_id: result for found in engine.stream(asked) for result in found}
    assert [(call_id, result.reason) for call_id, result in results.items() if isinstance(result, Failure)] == [
        ("call_0", "not_supported"),
        ("call_1", "not_supported"),
    ]
    assert isinstance(results["call_2"], Completion)


def test_a_line_holds_the_same_body_as_a_request_online(server: BatchServer, lake: Lake) -> None:
    answers(server, lake, range(2))
    (data,) = [data for data in server.files.values() if b'"method"' in data]
    schema = {"name": "tiny", "schema": TEMPLATE.response_schema, "strict": True}
    line = orjson.loads(data)
    assert line["custom_id"] == "call_1"
    assert line["body"]["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert line["body"]["messages"] == TEMPLATE.render({"text": "Page 1 on bees"})
    assert line["body"]["model"] == MODEL


def test_a_batch_asks_for_the_schema_in_the_form_that_the_server_takes(server: BatchServer, lake: Lake) -> None:
    server.faults["chat"] = ["no_schema"]
    assert completed(answers(server, lake, range(3))) == {0, 1, 2}
    (data,) = [data for data in server.files.values() if b'"method"' in data]
    assert all(orjson.loads(line)["body"]["response_format"] == {"type": "json_object"} for line in data.splitlines())


def test_batches_hold_no_more_than_set_and_few_are_in_progress(
    server: BatchServer, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_BATCHES", 3)
    pulled = 0

    def counted() -> Iterator[Request]:
        nonlocal pulled
        for request in requests(*range(31)):
            pulled += 1
            yield request

    engine = BatchEngine(settings(server.url, batch_requests=5), lake)
    stream = engine.stream(counted())
    next(stream)
    next(stream)
    assert pulled == 16  # one online, three batches of five
    assert sum(len(results) for results in stream) == 25
    assert [len(server._lines(one)) for one in server.batches.values()] == [5] * 6
    assert server.most_open == 3


def test_batches_keep_below_the_size_limit(server: BatchServer, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_BYTES", 1500)
    assert completed(answers(server, lake, range(10))) == set(range(10))
    files = [data for data in server.files.values() if b'"method"' in data]
    assert len(files) > 2
    assert max(map(len, files)) <= 1500
    assert paid_once(server)


def test_no_request_makes_no_call(server: BatchServer, lake: Lake) -> None:
    assert answers(server, lake, range(0)) == {}
    assert not server.calls


# Ends


def test_lines_of_the_error_file_fail_their_rows_by_their_cause(server: BatchServer, lake: Lake) -> None:
    def line(custom_id: str, body: Body) -> dict[str, Any] | None:
        return {
            1: refused(custom_id, 400, "the prompt is too long"),
            2: refused(custom_id, 429, "too many"),
            3: refused(custom_id, 500, "fell over"),
            4: unasked(custom_id, "batch_expired"),
            5: {"custom_id": custom_id, "response": {"status_code": 200, "body": {"choices": []}}},
            6: None,
        }.get(page(body), good(custom_id, reader(body)))

    server.line = line
    failed = failures(answers(server, lake, range(9)))
    assert {number: reason for number, (reason, _) in failed.items()} == {
        1: "bad_request",
        2: "rate_limited",
        3: "server_error",
        4: "timeout",
        5: "protocol",
        6: "server_error",
    }
    assert failed[1][1] == "HTTP 400: the prompt is too long"
    assert "without an answer" in failed[6][1]
    assert not records(lake)


@pytest.mark.parametrize(("end", "reason"), [("expired", "timeout"), ("cancelled", "server_error")])
def test_what_a_batch_answered_before_its_end_is_used(server: BatchServer, lake: Lake, end: str, reason: str) -> None:
    server.ends = [end]
    server.line = lambda custom_id, body: good(custom_id, reader(body)) if page(body) % 2 else None
    results = answers(server, lake, range(10))
    assert completed(results) == {0, 1, 3, 5, 7, 9}
    assert {kind for kind, _ in failures(results).values()} == {reason}
    server.line = None
    assert completed(answers(server, lake, range(2, 10, 2))) == {2, 4, 6, 8}


def test_rows_of_a_batch_that_fails_its_validation_fail_with_the_servers_words(server: BatchServer, lake: Lake) -> None:
    server.ends = ["failed"]
    server.errors = [{"code": "invalid_json_line", "message": "This line is not parseable.", "line": 3}]
    failed = failures(answers(server, lake, range(4)))
    assert set(failed) == {1, 2, 3}
    assert failed[1] == ("bad_request", "batch_1 failed: This line is not parseable. (line 3)")
    assert not records(lake)


@pytest.mark.parametrize(
    ("code", "remedy"), [("insufficient_quota", "no money left"), ("model_not_found", "PERSONA_MODEL")]
)
def test_a_cause_that_every_batch_would_meet_stops_the_run(
    server: BatchServer, lake: Lake, code: str, remedy: str
) -> None:
    server.ends = ["failed"]
    server.errors = [{"code": code, "message": "no", "line": None}]
    with pytest.raises(EngineUnavailable, match=remedy):
        answers(server, lake, range(4))
    assert completed(answers(server, lake, range(4))) == {0, 1, 2, 3}


def test_money_that_ends_within_a_batch_stops_the_run_after_what_was_answered(server: BatchServer, lake: Lake) -> None:
    server.line = lambda custom_id, body: (
        good(custom_id, reader(body)) if page(body) < 5 else refused(custom_id, 429, "no", "insufficient_quota")
    )
    engine = BatchEngine(settings(server.url), lake)
    seen: list[Result] = []
    with pytest.raises(EngineUnavailable, match="no money left"):
        for results in engine.stream(requests(*range(10))):
            seen += results
    assert {result.call_id for result in seen} == {f"call_{number}" for number in range(5)}
    assert not records(lake)


def test_a_full_queue_at_the_server_is_waited_for(server: BatchServer, lake: Lake) -> None:
    server.ends = ["completed", "failed", "failed"]
    server.errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}]
    assert completed(answers(server, lake, range(11), batch_requests=5)) == set(range(11))
    assert paid_once(server)
    assert server.calls["files"] == 2


def test_a_batch_too_large_for_the_servers_queue_says_so(server: BatchServer, lake: Lake) -> None:
    server.ends = ["failed"] * 9
    server.errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}]
    with pytest.raises(EngineUnavailable, match=r"limit reached; set PERSONA_BATCH_REQUESTS below 10"):
        answers(server, lake, range(11), max_retries=2)
    assert not records(lake)


# Faults


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        *itertools.product(["chat", "files", "create", "retrieve", "content"], ["rate", "error", "close", "half"]),
        *itertools.product(["chat", "files", "create", "retrieve"], ["garbage"]),
    ],
)
def test_a_passing_fault_of_any_call_costs_nothing(server: BatchServer, lake: Lake, endpoint: str, fault: str) -> None:
    server.faults[endpoint] = [fault, fault]
    assert completed(answers(server, lake, range(5))) == set(range(5))
    assert paid_once(server)


def test_a_batch_that_was_made_without_our_hearing_of_it_is_not_made_again(server: BatchServer, lake: Lake) -> None:
    server.faults["create"] = ["after"]
    server.faults["listing"] = ["error"]
    assert completed(answers(server, lake, range(5))) == set(range(5))
    assert len(server.batches) == 1


@pytest.mark.parametrize("endpoint", ["files", "create", "content"])
def test_a_fault_that_stays_stops_the_run_and_the_next_one_goes_on(
    server: BatchServer, lake: Lake, endpoint: str
) -> None:
    server.faults[endpoint] = ["error"] * 5
    with pytest.raises(EngineUnavailable, match="the model fell over; batches in progress go on"):
        answers(server, lake, range(5))
    assert completed(answers(server, lake, range(1, 5))) == {1, 2, 3, 4}
    assert paid_once(server)


def test_a_download_that_breaks_off_is_made_again(server: BatchServer, lake: Lake) -> None:
    server.hold = {"content"}
    values = {"read_timeout_s": 0.1, "max_retries": 1}
    with pytest.raises(EngineUnavailable, match="no byte in time"):
        answers(server, lake, range(5), **values)
    server.go.set()
    assert completed(answers(server, lake, range(1, 5), **values)) == {1, 2, 3, 4}
    assert paid_once(server)


@pytest.mark.parametrize(
    ("fault", "words"), [("key", "PERSONA_API_KEY"), ("model", "PERSONA_MODEL"), ("path", "PERSONA_BASE_URL")]
)
def test_a_wrong_setting_is_told_before_anything_is_uploaded(
    server: BatchServer, lake: Lake, fault: str, words: str
) -> None:
    server.faults["chat"] = [fault]
    with pytest.raises(EngineUnavailable, match=words) as raised:
        answers(server, lake, range(5), api_key=KEY)
    assert KEY not in str(raised.value)
    assert set(server.calls) == {"chat"}


def test_a_server_without_batches_is_named(server: BatchServer, lake: Lake) -> None:
    server.faults["files"] = ["path"]
    with pytest.raises(EngineUnavailable, match="HTTP 404: Not Found; PERSONA_BATCH needs"):
        answers(server, lake, range(5))


def test_a_first_question_that_is_refused_fails_alone(server: BatchServer, lake: Lake) -> None:
    server.faults["chat"] = ["bad"]
    results = answers(server, lake, range(5))
    assert failures(results)[0][0] == "bad_request"
    assert completed(results) == {1, 2, 3, 4}


def test_a_server_that_refuses_every_first_question_stops_the_run(server: BatchServer, lake: Lake) -> None:
    server.faults["chat"] = ["bad"] * 9
    with pytest.raises(EngineUnavailable, match="too long"):
        answers(server, lake, range(9))
    assert server.calls["chat"] == batch.FIRST_TRIES


def test_a_server_that_is_down_is_named(lake: Lake) -> None:
    with pytest.raises(EngineUnavailable, match=r"ConnectionRefusedError.*start the server"):
        answers(BatchServer(reader, port=1), lake, range(5), max_retries=1)


def test_a_server_that_restarts_while_a_batch_runs_is_waited_for(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    server = BatchServer(reader, hold={"end"})
    found: list[Result] = []

    def run() -> None:
        found.extend(answers(server, lake, range(5), max_retries=0).values())

    thread = threading.Thread(target=run)
    with server.running():
        thread.start()
        _until(lambda: server.calls["retrieve"] > 2)
    _until(lambda: "the next look is in" in caplog.text)
    server.hold.clear()
    with server.running():
        thread.join()
    assert sum(isinstance(result, Completion) for result in found) == 5


def _until(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not reached() and time.monotonic() < limit:
        time.sleep(0.005)
    assert reached()


def test_a_server_that_never_comes_back_stops_the_run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SILENT_S", 0.2)
    server = BatchServer(reader, looks=10**6)
    server.faults["retrieve"] = ["error"] * 10**4
    with server.running(), pytest.raises(EngineUnavailable, match="run again to fetch them"):
        answers(server, lake, range(5), max_retries=0)
    assert len(records(lake)) == 1


def test_progress_is_logged(
    server: BatchServer, lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batch, "LOG_EVERY_S", 0.0)
    caplog.set_level(logging.INFO)
    answers(server, lake, range(2001))
    assert "batch_1: 2,000 questions submitted" in caplog.text
    assert "batch_1: 1,000 of 2,000 done" in caplog.text


# Another run


def test_a_run_waits_for_the_batch_of_another_run(server: BatchServer, lake: Lake) -> None:
    submit(server, lake, range(7), batch_requests=3)
    assert len(records(lake)) == 2
    assert completed(answers(server, lake, range(1, 9))) == set(range(1, 9))
    assert paid_once(server)
    assert not records(lake)


def test_answers_that_are_handed_over_leave_the_record_and_others_stay(server: BatchServer, lake: Lake) -> None:
    submit(server, lake, range(7))
    assert completed(answers(server, lake, range(2, 4))) == {2, 3}
    (left,) = records(lake)
    assert orjson.loads(left.read_bytes())["call_ids"] == ["call_1", "call_4", "call_5", "call_6"]
    assert completed(answers(server, lake, range(4, 8))) == {4, 5, 6, 7}
    assert paid_once(server)


def test_answers_are_forgotten_only_when_the_caller_has_come_back(server: BatchServer, lake: Lake) -> None:
    stream = BatchEngine(settings(server.url), lake).stream(requests(*range(3)))
    next(stream)
    assert len(next(stream)) == 2
    assert len(records(lake)) == 1
    assert next(stream, None) is None
    assert not records(lake)


def test_a_batch_that_the_server_no_longer_knows_is_not_paid_again_unasked(server: BatchServer, lake: Lake) -> None:
    submit(server, lake, range(3))
    server.batches.clear()
    (record,) = records(lake)
    with pytest.raises(EngineUnavailable, match=f"No batch found.*delete {record} to ask it again"):
        answers(server, lake, range(1, 3))
    record.unlink()
    assert completed(answers(server, lake, range(1, 3))) == {1, 2}


@pytest.mark.parametrize("recorded", [True, False])
def test_a_batch_that_failed_while_nobody_looked_is_made_anew(server: BatchServer, lake: Lake, recorded: bool) -> None:
    server.ends = ["failed"]
    submit(server, lake, range(3))
    server.batches["batch_1"]["status"] = "failed"
    if not recorded:
        _forget_batch(lake, "batch_1")
    assert completed(answers(server, lake, range(1, 3))) == {1, 2}
    assert len(server.batches) == 2


def test_a_batch_whose_id_was_not_recorded_is_found_among_many(server: BatchServer, lake: Lake) -> None:
    submit(server, lake, range(7), batch_requests=1)
    assert len(server.batches) == 6
    _forget_batch(lake, "batch_1")
    assert completed(answers(server, lake, range(1, 7))) == set(range(1, 7))
    assert paid_once(server)


def _forget_batch(lake: Lake, batch_id: str) -> None:
    """Leave a record as it is while its batch is being made."""
    for path in records(lake):
        record = orjson.loads(path.read_bytes())
        if record["batch_id"] == batch_id:
            path.write_bytes(orjson.dumps(record | {"batch_id": ""}))


def test_the_records_of_another_server_are_left_alone(server: BatchServer, lake: Lake) -> None:
    path = Path(lake.root) / "batches" / "other.json"
    lake.write_bytes(str(path), orjson.dumps(_record(base_url="http://elsewhere/v1", call_ids=["call_1"])))
    assert completed(answers(server, lake, range(3))) == {0, 1, 2}
    assert records(lake) == [path]


def test_a_record_older_than_the_servers_files_is_removed(server: BatchServer, lake: Lake) -> None:
    path = f"{lake.root}/batches/old.json"
    old = (datetime.now(UTC) - timedelta(days=32)).isoformat()
    lake.write_bytes(path, orjson.dumps(_record(base_url=server.url, call_ids=["call_1"], created_at=old)))
    assert completed(answers(server, lake, range(3))) == {0, 1, 2}
    assert not records(lake)


def test_a_damaged_record_is_named(server: BatchServer, lake: Lake) -> None:
    path = f"{lake.root}/batches/bad.json"
    lake.write_bytes(path, b'{"name": "bad"')
    with pytest.raises(PersonaAssetsError, match=f"{path} is not a record of a batch"):
        answers(server, lake, range(3))


def _record(**values: Any) -> dict[str, Any]:
    return {
        "name": "other",
        "base_url": "",
        "model": MODEL,
        "input_file": "file-x",
        "batch_id": "batch_x",
        "created_at": datetime.now(UTC).isoformat(),
        "call_ids": [],
    } | values


# The whole hop


def test_a_second_run_makes_no_call(lake: Lake) -> None:
    with BatchServer(mixed_reader).running() as server:
        report = run_step(server, lake)
        assert report.calls_made == len(server.asked) > DOCUMENTS
        calls = server.calls.copy()
        assert run_step(server, lake).calls_made == 0
        assert server.calls == calls
    assert paid_once(server)
    assert not records(lake)


def test_the_key_and_the_prompts_are_in_no_record_and_the_key_in_no_file(lake: Lake) -> None:
    with BatchServer(reader, hold={"end"}).running() as server:
        with _killed(lake, server, lambda: server.calls["retrieve"] > 1):
            pass
        (record,) = records(lake)
        server.hold.clear()
        run_step(server, lake, api_key=KEY)
    assert {headers.get("Authorization") for headers in server.headers} == {f"Bearer {KEY}"}
    assert not record.exists()
    files = [path for path in Path(lake.root).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object]:
    lake = Lake(tmp_path_factory.mktemp("undisturbed"))
    with BatchServer(mixed_reader).running() as server:
        run_step(server, lake)
    return table_of(lake)


@pytest.mark.parametrize("moment", ["create", "created", "end", "content", "hand over"])
def test_a_run_killed_at_any_moment_pays_nothing_twice(
    lake: Lake, undisturbed: tuple[object, object], moment: str
) -> None:
    server = BatchServer(mixed_reader, hold={moment})

    def reached() -> bool:
        if moment == "end":
            return server.calls["retrieve"] > 3
        if moment == "hand over":
            return len(tiny.stored_ids(lake)) > 4
        return moment in server.reached

    with server.running():
        with _killed(lake, server, reached):
            if moment == "create":
                assert not server.batches
            else:
                assert len(server.batches) == 1
        server.hold.clear()
        server.go.set()
        run_step(server, lake)
    assert paid_once(server)
    assert table_of(lake) == undisturbed


@contextmanager
def _killed(lake: Lake, server: BatchServer, reached: Callable[[], bool]) -> Iterator[None]:
    """A run in another process, ended by SIGKILL when a moment is reached."""
    command = [
        sys.executable,
        "-m",
        "persona_assets_tests.engines.openai.test_batch",
        lake.root,
        server.url,
        str(DOCUMENTS),
    ]
    process = subprocess.Popen(command, env=os.environ | {"PERSONA_API_KEY": KEY})
    _until(lambda: reached() or process.poll() is not None)
    assert process.poll() is None
    process.kill()
    process.wait()
    time.sleep(0.05)  # the server hears of it
    yield


# Settings


def test_several_servers_are_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="names several"):
        make_engine(settings("http://a/v1,http://b/v1"), lake)


@pytest.mark.parametrize("values", [{"model": " "}, {"base_url": "ftp://a"}, {"api_key": "a\nb"}])
def test_settings_are_checked_as_without_batches(lake: Lake, values: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        make_engine(settings(**{"url": "http://a/v1"} | values), lake)


if __name__ == "__main__":
    batch.HAND_OVER = 4
    chosen = settings(sys.argv[2], lake=sys.argv[1])
    slow = Context(
        Lake(sys.argv[1]),
        chosen,
        make_engine(chosen, Lake(sys.argv[1])),
        "killed",
        progress=lambda done, total=None, note="": time.sleep(0.1 if done else 0),
    )
    tiny.run_step(slow, int(sys.argv[3]))


# What servers refuse, and where they put answers


def test_a_batch_is_sent_in_the_form_that_the_first_question_taught(server: BatchServer, lake: Lake) -> None:
    def own(body: Body) -> tuple[int, Body] | None:
        if "max_tokens" in body:
            return 400, {"error": {"message": "max_tokens is not supported, use max_completion_tokens instead"}}
        return (400, {"error": {"message": "seed: Extra inputs are not permitted"}}) if "seed" in body else None

    server.own = own
    assert completed(answers(server, lake, range(5))) == set(range(5))
    [file] = [data for data in server.files.values() if b"custom_id" in data and b"method" in data]
    bodies = [orjson.loads(line)["body"] for line in file.splitlines()]
    assert len(bodies) == 4
    assert all("max_completion_tokens" in body and not {"max_tokens", "seed"} & set(body) for body in bodies)


def test_headers_and_query_go_to_every_address_of_a_batch(server: BatchServer, lake: Lake) -> None:
    answers(server, lake, range(5), query="api-version=2024-10-21", headers="api-key={api_key}", api_key=KEY)
    assert server.queries == {"2024-10-21"}
    assert all(headers["api-key"] == KEY and "Authorization" not in headers for headers in server.headers)


def test_lines_hold_thoughts_tool_calls_and_nothing_at_all(server: BatchServer, lake: Lake) -> None:
    bodies = [
        completion('{"persona": "A baker"}', reasoning_content="Think."),
        completion(None, "tool_calls", tool_calls=[{"function": {"arguments": '{"persona": "A baker"}'}}]),
        completion(""),
        completion("", "error"),
    ]

    def line(custom_id: str, body: Body) -> Line:
        number = int(custom_id.removeprefix("call_")) - 1
        return good(custom_id, "") | {"response": {"status_code": 200, "body": bodies[number]}}

    server.line = line
    results = answers(server, lake, range(5))
    thought, called = results[1], results[2]
    assert isinstance(thought, Completion) and isinstance(called, Completion)
    assert (thought.thought, thought.text, called.text) == (
        "Think.",
        '{"persona": "A baker"}',
        '{"persona": "A baker"}',
    )
    assert {number: reason for number, (reason, _) in failures(results).items()} == {3: "empty", 4: "server_error"}
