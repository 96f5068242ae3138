from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from persona_assets.engines.base import (
    FINAL_FAULTS,
    NO_ANSWER,
    PASSING_FAULTS,
    PASSING_REJECTS,
    Completion,
    EngineUnavailable,
    Failure,
    Request,
    Result,
)
from persona_assets.engines.openai import faults
from persona_assets.engines.openai.batch import REASONS
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets.steps.runner import Ask, Context, Report, StepRunner, write_outcomes
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import Scripted, over_http, scripted
from persona_assets_tests.engines.server import serve
from persona_assets_tests.engines.tiny import (
    SHARD,
    TEMPLATE,
    TinyStep,
    asks,
    is_repair,
    key_of,
    mixed_reader,
    page,
    reader,
    run_step,
    table_of,
)

KEY = "secret-key-of-the-test"


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


# Calls


def test_every_document_becomes_a_persona_row_with_its_call(lake: Lake) -> None:
    with serve(reader) as server:
        report = run_step(over_http(lake, server), 30)
        row = lake.read(EXTRACTED_PERSONAS, SHARD).row(0, named=True)
    assert (report.inputs, report.kept, report.calls_made, report.calls_reused) == (30, 30, 30, 0)
    assert (report.tokens_in, report.tokens_out) == (330, 210)
    assert (row["template"], row["template_version"], row["model"]) == ("tiny", 3, "m")
    call = Ledger(lake).find(row["call_id"])
    assert call is not None
    assert (call.asset, call.shard, call.run_id, call.template) == ("extracted_personas", SHARD, "run", "tiny")
    assert orjson.loads(call.fill) == {"about": {"raw_documents": [row["document_id"]]}}
    assert Ledger(lake).template(call.template_digest).render({"text": "x"}) == TEMPLATE.render({"text": "x"})


def test_a_second_run_makes_no_call_and_the_same_table(lake: Lake) -> None:
    with serve(mixed_reader) as server:
        run_step(over_http(lake, server), 40)
        first, asked = table_of(lake), len(server.bodies)
        report = run_step(over_http(lake, server), 40)
    assert len(server.bodies) == asked
    assert report.calls_made == 0
    assert report.calls_reused == asked
    assert table_of(lake) == first


def test_a_second_run_needs_no_server(lake: Lake) -> None:
    with serve(reader) as server:
        run_step(over_http(lake, server), 5)
        values = over_http(lake, server)
    assert run_step(values, 5).kept == 5


def test_one_new_document_costs_one_call(lake: Lake) -> None:
    with serve(reader) as server:
        run_step(over_http(lake, server), 20)
        assert run_step(over_http(lake, server), 21).calls_made == 1
        assert page(server.bodies[-1]) == 20


def test_another_shard_with_the_same_prompt_pays_nothing(lake: Lake) -> None:
    with serve(reader) as server:
        run_step(over_http(lake, server), 20)
        assert run_step(over_http(lake, server), 20, shard="e.0000").calls_made == 0
        assert len(server.bodies) == 20


def test_the_same_prompt_twice_in_a_partition_is_asked_once(lake: Lake) -> None:
    engine = scripted('{"persona": "A reader"}')
    runner = StepRunner(TinyStep(), context(lake, engine), SHARD)
    twice = [Ask({"text": "same"}, {"document_id": "doc_a"}), Ask({"text": "same"}, {"document_id": "doc_b"})]
    outcomes = list(runner.run(lambda: twice))
    assert len(engine.asked) == 1
    assert [outcome.parsed.rows[0]["document_id"] for outcome in outcomes] == ["doc_a", "doc_b"]


def test_a_further_try_is_a_call_of_its_own_with_another_seed(lake: Lake) -> None:
    engine = scripted('{"persona": "A reader"}')
    runner = StepRunner(TinyStep(), context(lake, engine, seed=5), SHARD)
    tries = [Ask({"text": "same"}, {"document_id": "doc_a"}, attempt) for attempt in (0, 1)]
    outcomes = list(runner.run(lambda: tries))
    assert [request.sampling.seed for request in engine.asked] == [5, 6]
    calls = {call["call_id"]: call["attempt"] for call in Ledger(lake).scan().collect().iter_rows(named=True)}
    assert [calls[outcome.call.call_id] for outcome in outcomes if outcome.call] == [0, 1]


def test_a_call_is_stored_before_the_next_one_is_needed(lake: Lake) -> None:
    held: list[int] = []

    def answer(request: Request) -> str:
        held.append(len(Ledger(lake).scan().collect()))
        return '{"persona": "A reader"}'

    list(StepRunner(TinyStep(), context(lake, Scripted(answer)), SHARD).run(lambda: asks(4)))
    assert held == [0, 1, 2, 3]


def test_the_stored_key_is_that_of_the_prompt_as_an_audit_renders_it(lake: Lake) -> None:
    with serve(reader) as server:
        run_step(over_http(lake, server), 3)
        keys = {key_of(body) for body in server.bodies}
    assert keys == set(lake.read(EXTRACTED_PERSONAS, SHARD)["call_id"])


def test_the_shards_parts_are_compacted_at_the_end(lake: Lake) -> None:
    run_step(context(lake, scripted('{"persona": "A reader"}')), 5)
    assert len(Ledger(lake).paths("tiny", SHARD)) == 1


def test_costs_follow_from_tokens_and_prices(lake: Lake) -> None:
    engine = scripted('{"persona": "A reader"}')
    report = run_step(context(lake, engine, price_in=2.0, price_out=10.0), 2)
    assert report.cost == pytest.approx(2 * (11 * 2 + 7 * 10) / 1e6)


# Faults


def test_a_failed_row_is_rejected_and_the_others_survive(lake: Lake) -> None:
    with serve(reader, refuse=lambda body: "bad" if page(body) == 3 else "") as server:
        report = run_step(over_http(lake, server), 10)
    assert (report.inputs, report.kept, report.rejected) == (10, 9, Counter(bad_request=1))
    [reject] = lake.rejects(EXTRACTED_PERSONAS).collect().rows(named=True)
    assert (reject["row_id"], reject["parent_id"], reject["call_id"]) == ("doc_3", "doc_3", None)
    assert reject["detail"] == "HTTP 400: the prompt is too long for the context"


def test_a_failed_row_is_asked_again_by_the_next_run(lake: Lake) -> None:
    with serve(reader, faults=["bad"]) as server:
        assert run_step(over_http(lake, server), 4).kept == 3
        assert run_step(over_http(lake, server), 4).calls_made == 1
    assert lake.read(EXTRACTED_PERSONAS, SHARD).height == 4


def test_every_question_ends_as_a_row_or_a_typed_reject_under_mixed_faults(lake: Lake) -> None:
    shares = {"rate": 0.05, "error": 0.05, "close": 0.04, "half": 0.02, "garbage": 0.02, "wrong": 0.05, "bad": 0.03}
    with serve(mixed_reader, shares=shares, seed=7) as server:
        report = run_step(over_http(lake, server, max_retries=8), 150)
    rows, rejects = lake.read(EXTRACTED_PERSONAS, SHARD), lake.rejects(EXTRACTED_PERSONAS).collect()
    assert sorted([*rows["document_id"], *rejects["parent_id"]]) == sorted(f"doc_{number}" for number in range(150))
    assert set(rejects["reason"]) == {"bad_request", "parse_failure"}
    assert report.kept == rows.height


class _Failing(Scripted):
    """An engine that answers nothing, for one reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(lambda request: None)
        self.reason = reason

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            self.asked.append(request)
            yield [Failure(request.call_id, self.reason, "as the test has it")]


@pytest.mark.parametrize("reason", sorted(PASSING_FAULTS - {NO_ANSWER}))
def test_the_reject_of_a_passing_fault_says_that_it_is_one(lake: Lake, reason: str) -> None:
    report = run_step(context(lake, _Failing(reason)), 1)
    assert list(report.rejected) == [f"engine_{reason}"]
    assert set(report.rejected) <= PASSING_REJECTS


@pytest.mark.parametrize("reason", sorted(FINAL_FAULTS))
def test_the_reject_of_a_final_fault_says_that_it_is_one(lake: Lake, reason: str) -> None:
    report = run_step(context(lake, _Failing(reason)), 1)
    assert list(report.rejected) == [reason]
    assert not set(report.rejected) & PASSING_REJECTS


def test_a_fault_that_nobody_knows_is_asked_again(lake: Lake) -> None:
    report = run_step(context(lake, _Failing("sunspots")), 1)
    assert set(report.rejected) <= PASSING_REJECTS


def test_every_fault_is_either_passing_or_final() -> None:
    assert not PASSING_FAULTS & FINAL_FAULTS
    assert {*faults.TRY_AGAIN.values(), *REASONS.values()} <= PASSING_FAULTS


def test_a_question_without_any_result_is_rejected_as_such(lake: Lake) -> None:
    report = run_step(context(lake, scripted(None)), 2)
    assert report.rejected == Counter(engine_no_answer=2)
    assert set(report.rejected) <= PASSING_REJECTS


def test_a_lost_engine_stops_the_run_and_keeps_what_was_answered(lake: Lake) -> None:
    with serve(reader, refuse=lambda body: "key" if page(body) == 6 else "") as server:
        with pytest.raises(EngineUnavailable):
            run_step(over_http(lake, server, concurrency=1), 9)
        assert not lake.exists(EXTRACTED_PERSONAS, SHARD)
        server.refuse = lambda body: ""
        assert run_step(over_http(lake, server), 9).calls_made == 3


def test_a_damaged_part_costs_its_calls_only(lake: Lake) -> None:
    with serve(reader) as server:
        run_step(over_http(lake, server), 4, shard="e.0000")
        run_step(over_http(lake, server), 8)
        before = table_of(lake)
        [damaged] = Ledger(lake).paths("tiny", SHARD)
        Path(damaged).write_bytes(b"PAR1 not really")
        report = run_step(over_http(lake, server), 8)
    assert (report.calls_made, report.calls_reused) == (4, 4)
    assert table_of(lake) == before
    assert Ledger(lake).verify() == [damaged.replace("/calls/", "/calls_corrupt/")]


def test_the_key_is_in_no_file_of_the_lake(lake: Lake) -> None:
    shares = {"rate": 0.1, "garbage": 0.1, "bad": 0.2}
    with serve(mixed_reader, shares=shares) as server:
        run_step(over_http(lake, server, api_key=KEY), 30)
    files = [path for path in Path(lake.root).rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    tables = [path for path in files if path.suffix == ".parquet"]
    assert not [path for path in tables if KEY in str(pl.read_parquet(path).rows())]


def test_what_a_hop_refuses_is_rejected_with_its_call_and_the_question_accounted_for(lake: Lake) -> None:
    report = run_step(context(lake, scripted('{"persona": "nobody"}')), 1)
    assert report.rejected == Counter(nobody=1, nothing_left=1)
    rejects = lake.rejects().collect()
    assert rejects["call_id"].null_count() == 0
    assert set(rejects["parent_id"]) == {"doc_0"}


def test_a_cut_answer_is_rejected_as_truncated(lake: Lake) -> None:
    class Cut(Scripted):
        def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
            for request in requests:
                yield [Completion(request.call_id, '{"persona": "A re', "length", 5, 2048, 0.1)]

    report = run_step(context(lake, Cut(lambda request: "")), 1)
    assert report.rejected == Counter(truncated=1)


def test_progress_counts_each_question_of_a_faultless_run_once(lake: Lake) -> None:
    ticks: list[int] = []

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        ticks.append(done)

    for _ in range(2):
        values = context(lake, scripted('{"persona": "A reader"}'))
        report = run_step(Context(lake, values.settings, values.engine, "run", progress), 7)
        assert isinstance(report, Report)
    assert sum(ticks) == 14


def test_outcomes_come_in_the_order_of_the_questions(lake: Lake) -> None:
    with serve(reader, delay_s=0.001) as server:
        runner = StepRunner(TinyStep(), over_http(lake, server), SHARD)
        outcomes = list(runner.run(lambda: asks(50)))
    assert [outcome.ask.parent_id for outcome in outcomes] == [f"doc_{number}" for number in range(50)]
    write_outcomes(runner, outcomes)
    assert lake.read(EXTRACTED_PERSONAS, SHARD).height == 50


def test_rows_that_change_while_they_are_asked_about_stop_the_partition_and_keep_the_answers(lake: Lake) -> None:
    passes: list[list[Ask]] = [list(asks(30)), list(asks(30, start=1))]
    runner = StepRunner(TinyStep(), context(lake, scripted('{"persona": "A reader"}')), SHARD)
    with pytest.raises(PersonaAssetsError, match="written anew while it was asked about"):
        write_outcomes(runner, runner.run(lambda: passes.pop(0)))
    assert not lake.exists(EXTRACTED_PERSONAS, SHARD)
    assert Ledger(lake).scan().collect().height == 30


def test_rows_that_go_while_they_are_asked_about_stop_the_partition(lake: Lake) -> None:
    passes: list[list[Ask]] = [list(asks(30)), []]
    runner = StepRunner(TinyStep(), context(lake, scripted('{"persona": "A reader"}')), SHARD)
    with pytest.raises(PersonaAssetsError, match="written anew while it was asked about"):
        write_outcomes(runner, runner.run(lambda: passes.pop(0)))


def test_a_repair_that_a_passing_fault_ended_is_asked_again_by_the_next_run(lake: Lake) -> None:
    def first_wrong(body: Any) -> str:
        return reader(body) if is_repair(body) else "no JSON"

    with serve(first_wrong, refuse=lambda body: "error" if is_repair(body) else "") as server:
        report = run_step(over_http(lake, server, max_retries=0), 2)
        assert report.rejected == Counter(engine_server_error=2)
    with serve(first_wrong) as server:
        assert run_step(over_http(lake, server), 2).kept == 2
        assert len(server.bodies) == 2


def test_a_repair_outlives_the_answer_that_it_repairs(lake: Lake) -> None:
    with serve(lambda body: reader(body) if is_repair(body) else "no JSON") as server:
        run_step(over_http(lake, server), 3)
        held = Ledger(lake).scan().collect()
        repairs = held.filter(pl.col("fill").str.contains("repair_of"))
        for path in Ledger(lake).paths():
            lake.fs.rm(path)
        Ledger(lake).store_frame("tiny", SHARD, repairs)
        server.bodies.clear()
        assert run_step(over_http(lake, server), 3).kept == 3
        assert not any(map(is_repair, server.bodies))
