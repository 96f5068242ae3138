"""Thoughts of reasoning models: kept beside the answer, and told apart where one was cut off."""

from typing import Any

import polars as pl
import pytest

from persona_assets.engines.openai import faults
from persona_assets.lake import Lake
from persona_assets.lake.catalog import query
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets.steps.reading import split_thought
from persona_assets_tests.engines.doubles import over_http
from persona_assets_tests.engines.server import Body, completion, serve
from persona_assets_tests.engines.tiny import is_repair, reader, run_step

GOOD = '{"persona": "A beekeeper who reads page 0"}'
THOUGHTS = [
    "<think>\nWho reads about bees?\n</think>\n\n",
    "<thinking>谁会读这一页？可能是养蜂人。</thinking>",
    "Кто читает о пчёлах? Пасечник.</think>",
    '<think>Maybe {"persona": "a nurse"}? No.</think>',
]


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


def run(lake: Lake, *bodies: Body) -> dict[str, Any]:
    """The only call of one question that a server answers so, again and again, and why it was set aside."""
    given = list(bodies)
    with serve(reader, own=lambda body: (200, given.pop(0) if len(given) > 1 else given[0])) as server:
        report = run_step(over_http(lake, server, max_retries=1), 1)
    calls = Ledger(lake).scan().sort("created_at").collect()
    first = calls.row(0, named=True) if calls.height else {}
    return {**first, "calls": calls.height, "kept": report.kept, "rejected": dict(report.rejected)}


@pytest.mark.parametrize("thought", THOUGHTS)
def test_a_thought_in_the_content_has_a_column_of_its_own_and_nothing_is_lost(thought: str, lake: Lake) -> None:
    call = run(lake, completion(thought + GOOD))
    assert (call["thought"], call["answer"], call["kept"]) == (thought, GOOD, 1)


def test_a_thought_that_the_server_tells_apart_is_kept_too(lake: Lake) -> None:
    call = run(lake, completion(GOOD, reasoning_content="Who reads it?"))
    assert (call["thought"], call["answer"], call["kept"]) == ("Who reads it?", GOOD, 1)


def test_an_answer_without_a_thought_has_an_empty_one(lake: Lake) -> None:
    call = run(lake, completion(GOOD))
    assert (call["thought"], call["answer"]) == ("", GOOD)


@pytest.mark.parametrize("reasoning", [GOOD, f"The user wants one reader. {GOOD}", f"```json\n{GOOD}\n```"])
def test_an_answer_that_was_taken_for_a_thought_is_the_answer(reasoning: str, lake: Lake) -> None:
    call = run(lake, completion(None, reasoning_content=reasoning))
    assert (call["thought"], call["answer"], call["kept"], call["calls"]) == ("", reasoning, 1, 1)


def test_a_thought_and_nothing_else_is_asked_again_by_the_next_run(lake: Lake) -> None:
    call = run(lake, completion(None, reasoning_content="Hm, who would read about bees?"))
    assert (call["calls"], call["rejected"]) == (0, {"engine_empty": 1})
    assert run(lake, completion(GOOD))["kept"] == 1


def test_no_content_at_all_is_asked_again_by_the_next_run(lake: Lake) -> None:
    assert run(lake, completion(""))["rejected"] == {"engine_empty": 1}
    assert run(lake, completion(GOOD))["kept"] == 1


@pytest.mark.parametrize(
    "body",
    [
        completion("<think>Who reads about bees? Perhaps", "length"),
        completion(None, "length", reasoning_content="Who reads about bees? Perhaps"),
        completion("", "length", reasoning_content='Perhaps {"persona": "a nurse"}'),
        completion("<think>Perhaps.</think>\n", "length"),
        completion("", "length"),
    ],
)
def test_an_answer_that_was_cut_before_it_began_has_a_reason_of_its_own(body: Body, lake: Lake) -> None:
    call = run(lake, body)
    assert (call["rejected"], call["calls"]) == ({"truncated_thought": 1}, 1)
    detail = lake.rejects(EXTRACTED_PERSONAS).select("detail").collect().item()
    assert detail == "cut at 7 tokens, before the answer began"


def test_an_answer_that_was_cut_within_is_truncated(lake: Lake) -> None:
    call = run(lake, completion('<think>A nurse.</think>{"persona": "A nur', "length"))
    assert (call["thought"], call["rejected"]) == ("<think>A nurse.</think>", {"truncated": 1})


def test_a_repair_is_shown_the_answer_without_its_thought(lake: Lake) -> None:
    wrong = completion('<think>Short.</think>{"persona": "x"}')
    with serve(reader, own=lambda body: None if is_repair(body) else (200, wrong)) as server:
        assert run_step(over_http(lake, server), 1).kept == 1
    assert server.bodies[1]["messages"][-2]["content"] == '{"persona": "x"}'


def test_the_catalogue_and_parts_of_before_show_thoughts(lake: Lake) -> None:
    run(lake, completion(THOUGHTS[0] + GOOD))
    [path] = Ledger(lake).paths()
    older = pl.read_parquet(path).drop("thought").with_columns(call_id=pl.lit("call_" + "0" * 32))
    older.write_parquet(path.replace("part-", "part-old"))
    found = query(lake, "SELECT thought FROM calls ORDER BY call_id")
    assert found["thought"].to_list() == ["", THOUGHTS[0]]


@pytest.mark.parametrize(
    "text",
    [GOOD, '{"text": "what </think> means"}', "No thought at all.", "", "\ufeff " + GOOD, "He said: <think> twice."],
)
def test_what_holds_no_thought_stays_whole(text: str) -> None:
    assert split_thought(text) == ("", text)
