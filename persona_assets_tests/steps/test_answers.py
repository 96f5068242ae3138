import json
from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from persona_assets.engines.base import ModelIdentity, call_key
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets.steps.runner import REPAIR, StepRunner, read_answer
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import Scripted, over_http
from persona_assets_tests.engines.server import Body, serve
from persona_assets_tests.engines.tiny import (
    SHARD,
    TEMPLATE,
    TinyStep,
    is_repair,
    page,
    reader,
    run_step,
)

# Repair


def first_wrong(body: Body) -> str:
    return reader(body) if is_repair(body) else '{"persona": "x"}'


def test_an_answer_that_does_not_fit_is_repaired_once_and_the_mended_one_used(lake: Lake) -> None:
    with serve(first_wrong) as server:
        report = run_step(over_http(lake, server), 6)
    assert Counter((page(body), is_repair(body)) for body in server.bodies) == Counter(
        (number, repair) for number in range(6) for repair in (False, True)
    )
    assert (report.kept, report.calls_made) == (6, 12)
    assert set(lake.read(EXTRACTED_PERSONAS, SHARD)["text"]) == {f"A beekeeper who reads page {n}" for n in range(6)}


def test_a_repair_shows_the_model_its_answer_and_what_is_wrong(lake: Lake) -> None:
    with serve(first_wrong) as server:
        run_step(over_http(lake, server), 1)
    first, repair = (body["messages"] for body in server.bodies)
    assert repair[: len(first)] == first
    assert repair[-2] == {"role": "assistant", "content": '{"persona": "x"}'}
    assert "$.persona: breaks minLength 3" in repair[-1]["content"]


def test_a_repair_call_names_what_it_repairs_and_renders_again(lake: Lake) -> None:
    with serve(first_wrong) as server:
        values = over_http(lake, server)
        run_step(values, 1)
    repair = Ledger(lake).find(lake.read(EXTRACTED_PERSONAS, SHARD)["call_id"][0])
    assert repair is not None
    fill = orjson.loads(repair.fill)
    repaired = Ledger(lake).find(fill["repair_of"])
    assert repaired is not None
    rendered = [
        *Ledger(lake).template(repaired.template_digest).render({"text": "Page 0 on bees"}),
        *Ledger(lake).template(repair.template_digest).render({"answer": repaired.answer, "problem": fill["problem"]}),
    ]
    assert rendered == server.bodies[1]["messages"]
    assert (repair.template, repair.template_version) == ("repair", REPAIR.version)
    sampling = StepRunner(TinyStep(), values, SHARD).sampling
    assert call_key(rendered, TEMPLATE.response_schema, ModelIdentity("m", ""), sampling, 0) == repair.call_id


def test_an_answer_that_stays_wrong_is_rejected_after_one_repair(lake: Lake) -> None:
    with serve(lambda body: "I cannot say.") as server:
        report = run_step(over_http(lake, server), 3)
    assert report.rejected == Counter(parse_failure=3)
    assert len(server.bodies) == 6
    assert lake.rejects().collect()["call_id"].null_count() == 0


def test_a_repair_that_fails_leaves_the_first_answers_verdict(lake: Lake) -> None:
    with serve(first_wrong, refuse=lambda body: "bad" if is_repair(body) else "") as server:
        report = run_step(over_http(lake, server), 2)
    assert report.rejected == Counter(parse_failure=2)


# Answers and rows

FENCED = ['{"persona": "A reader"}', ' \n```json\n{"persona": "A reader"}\n```\n', '```\n{"persona":"A reader"}```']
DEEP = "[" * 1020 + "]" * 1020
USELESS = ["", "```", "null", "[]", '{"persona": 3}', '{"persona": NaN}', "[" * 5000, DEEP]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("text", FENCED)
def test_an_answer_is_read_with_or_without_a_code_fence(text: str) -> None:
    assert read_answer(text, TEMPLATE) == ({"persona": "A reader"}, "")


@pytest.mark.parametrize("text", USELESS, ids=lambda text: text[:20])
def test_an_answer_that_cannot_be_used_says_why(text: str) -> None:
    value, problem = read_answer(text, TEMPLATE)
    assert value is None
    assert problem


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.text() | json_values.map(json.dumps))
def test_no_answer_breaks_the_reader(text: str) -> None:
    value, problem = read_answer(text, TEMPLATE)
    assert (value is None) == bool(problem)


def test_a_hostile_answer_never_ends_the_partition(lake: Lake) -> None:
    hostile = [
        '{"persona": "\\ud800\\ud800\\ud800"}',
        '{"persona": "\\u0000\\u0000\\u0000"}',
        "[" * 900 + "]" * 900,
        "",
    ]
    engine = Scripted(lambda request: hostile[int(request.messages[1]["content"].split()[1])])
    report = run_step(context(lake, engine), 4)
    assert (report.inputs, report.kept, report.rejected) == (4, 1, Counter(parse_failure=2, too_deep=1))
