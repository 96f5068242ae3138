from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.engines.base import Completion, ModelIdentity, Request, Result
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.making import make
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.budget import BudgetReached
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import task_table
from persona_assets.tasks.target import place_of
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.rows import document, draft, persona, put
from persona_assets_tests.tasks.own import answer_of, listed, steps, task, write

POEM = Template.model_validate(
    {
        "name": "poems",
        "version": 1,
        "title": "Poems",
        "description": "Short poems.",
        "messages": [{"role": "user", "content": "<persona>{{ persona }}</persona> Write."}],
        "response_schema": {
            "type": "object",
            "properties": {"poem": {"type": "string", "minLength": 1}},
            "required": ["poem"],
        },
    }
)
TABLE = task_table(POEM)


class Poet:
    """Answers all but every n-th persona."""

    def __init__(self, refuses: int = 10**9) -> None:
        self.refuses, self.asked = refuses, 0

    def identity(self, template: Template) -> ModelIdentity:
        return ModelIdentity("m", "")

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            self.asked += 1
            number = int(request.messages[0]["content"].split()[3])
            refused = number % self.refuses == 0
            yield [Completion(request.call_id, "" if refused else f'{{"poem": "{number}"}}', "refusal", 1, 1, 0.0)]

    def close(self) -> None:
        """Nothing is open."""


def people(lake: Lake, count: int, shard: str = "d.0000", start: int = 1) -> None:
    rows = [
        persona(f"{number:04d}", "a", text=f"The person number {number} here", shard=shard)
        for number in range(start, start + count)
    ]
    put(lake, DEDUPED_PERSONAS, *rows, shard=shard)


def ask(lake: Lake, poet: Poet, shard: str = "d.0000", **settings: Any) -> dict[str, Any]:
    report = run_task(context(lake, poet, **settings), TaskStep(POEM), shard)
    return {"kept": report.kept, "inputs": report.inputs, "rejected": dict(report.rejected), **report.extra}


def test_exactly_as_many_rows_are_made_as_asked_for_and_no_call_more(lake: Lake) -> None:
    people(lake, 50)
    poet = Poet(refuses=3)
    done = ask(lake, poet, targets={"poems": 20})
    assert (done["kept"], done["ended"], done["rows missing"]) == (20, "target reached", 0)
    assert lake.read(TABLE, "d.0000").height == 20
    assert poet.asked == 20 + done["rejected"]["refused"]
    assert done["inputs"] == 50 == 20 + sum(done["rejected"].values())


def test_where_personas_end_first_it_says_so(lake: Lake) -> None:
    people(lake, 10)
    done = ask(lake, Poet(refuses=2), targets={"poems": 20})
    assert (done["kept"], done["ended"], done["rows missing"]) == (5, "questions ended", 15)


def test_where_the_budget_ends_first_it_says_so_and_keeps_what_was_answered(lake: Lake) -> None:
    people(lake, 50)
    poet = Poet()
    with pytest.raises(BudgetReached, match=r"poems d\.0000: budget reached, 5 of 5 calls a run"):
        ask(lake, poet, targets={"poems": 20}, max_calls_per_run=5)
    assert ask(lake, poet, targets={"poems": 20})["kept"] == 20
    assert poet.asked == 20


def test_the_rows_of_all_partitions_count(lake: Lake) -> None:
    people(lake, 15)
    people(lake, 15, "d.0001", start=100)
    poet = Poet()
    assert ask(lake, poet, targets={"poems": 20})["kept"] == 15
    assert ask(lake, poet, "d.0001", targets={"poems": 20})["kept"] == 5
    assert ask(lake, poet, "d.0001", targets={"poems": 20})["kept"] == 5
    assert poet.asked == 20


def test_a_raised_target_asks_only_what_is_missing(lake: Lake) -> None:
    people(lake, 50)
    poet = Poet()
    ask(lake, poet, targets={"poems": 20})
    assert ask(lake, poet, targets={"poems": 30})["kept"] == 30
    assert poet.asked == 30


def test_of_an_answer_with_many_rows_no_more_are_kept_than_are_wanted(lake: Lake, tmp_path: Path) -> None:
    [step] = steps(tmp_path / "tasks", LINES)
    people(lake, 9)
    engine = Scripted(lambda _: '{"lines": [{"line": "a"}, {"line": "b"}, {"line": "c"}]}')
    report = run_task(context(lake, engine, targets={"lines": 7}, tasks=str(tmp_path / "tasks")), step, "d.0000")
    aside = lake.rejects(step.table, "d.0000").filter(reason="target_reached").collect()
    assert (report.kept, len(engine.asked), aside.height) == (7, 3, 2 + 9 - 3)
    assert aside["row_id"].str.starts_with("smp_").sum() == 2


LINES = task("lines", "{{ text }}", answer_of(lines=listed(line="string")), many="lines")
SIZES = {"c-1.0000": 3, "c-1.0002": 4, "c-1.0010": 2, "c-2.0000": 5}


def made(lake: Lake, settings: Settings, order: Sequence[str], engine: Scripted) -> list[str]:
    """Make the partitions in this order, then what is off target until nothing is; all rows, in order."""
    for wanted in (order, *[sorted(order, key=place_of)] * len(order)):
        for key in wanted:
            state = LakeState(lake, settings)
            if state.of("lines", key).to_do:
                list(make(context(lake, engine, targets=settings.targets, tasks=settings.tasks), state,
                          state.assets["lines"], key, again=False))  # fmt: skip
    state = LakeState(lake, settings)
    assert {str(state.of("lines", key).state) for key in order} == {"done"}
    return [
        one for key in sorted(order, key=place_of) for one in lake.read(state.assets["lines"].table, key)["sample_id"]
    ]


@settings_of(max_examples=8, deadline=None)
@given(order=st.permutations(list(SIZES)), target=st.integers(1, 30))
def test_which_rows_there_are_does_not_hang_on_the_order_in_which_partitions_ran(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], target: int
) -> None:
    place = tmp_path_factory.mktemp("order")
    settings = write(place / "tasks", LINES).model_copy(update={"targets": {"lines": target}})
    found, asked = [], []
    for name, keys in (("in order", sorted(SIZES, key=place_of)), ("otherwise", order)):
        lake = Lake(place / name)
        for number, (key, count) in enumerate(SIZES.items()):
            people(lake, count, key, start=100 * number + 1)
            put(lake, RAW_DOCUMENTS, document("a", shard=key), shard=key)
            put(lake, SHARD_FILES, shard=key)
        engine = Scripted(lambda request: _two(request))
        found.append(made(lake, settings, keys, engine))
        asked.append({request.call_id for request in engine.asked})
    assert found[0] == found[1]
    assert len(found[0]) == min(target, 2 * sum(SIZES.values()))
    assert asked[0] <= asked[1]


def _two(request: Request) -> str:
    number = request.messages[0]["content"].split()[3]
    return f'{{"lines": [{{"line": "{number} a"}}, {{"line": "{number} b"}}]}}'


def test_a_partition_with_more_rows_than_are_left_to_it_is_stale_and_says_why(lake: Lake, tmp_path: Path) -> None:
    settings = write(tmp_path / "tasks", LINES).model_copy(update={"targets": {"lines": 6}})
    engine = Scripted(_two)
    for key, start in (("c-1.0000", 1), ("c-1.0001", 100)):
        people(lake, 2, key, start=start)
        put(lake, RAW_DOCUMENTS, document("a", shard=key), shard=key)
        put(lake, SHARD_FILES, shard=key)
    for key in ("c-1.0001", "c-1.0000"):
        state = LakeState(lake, settings)
        list(make(context(lake, engine, targets=settings.targets, tasks=settings.tasks), state,
                  state.assets["lines"], key, again=False))  # fmt: skip
    standing = LakeState(lake, settings).of("lines", "c-1.0001")
    assert (str(standing.state), standing.why) == ("stale", "its task's target leaves it 2 rows, and it has 4")


def test_personas_that_were_not_needed_do_not_fail_a_gate(lake: Lake) -> None:
    people(lake, 50)
    ask(lake, Poet(), targets={"poems": 2})
    gates = run_gates(lake, draft(lake, TABLE, "d.0000"), Settings())
    assert {gate.name for gate in gates if not gate.passed} <= {"parents_exist"}  # the documents are not made here
    assert not lake.exists(RAW_DOCUMENTS, "d.0000")


def test_the_rows_do_not_depend_on_the_order_of_the_personas(lake: Lake, tmp_path: Path) -> None:
    people(lake, 30)
    other = Lake(tmp_path / "other")
    put(other, DEDUPED_PERSONAS, *reversed(lake.read(DEDUPED_PERSONAS, "d.0000").to_dicts()))
    found = []
    for one in (lake, other):
        ask(one, Poet(refuses=4), targets={"poems": 10})
        found.append(one.read(TABLE, "d.0000")["sample_id"].to_list())
    assert found[0] == found[1]


def test_two_tasks_with_targets_take_rows_of_their_own(lake: Lake) -> None:
    people(lake, 50)
    songs = POEM.model_copy(update={"name": "songs"})
    for template in (POEM, songs):
        run_task(context(lake, Poet(), targets={"poems": 10, "songs": 10}), TaskStep(template), "d.0000")
    taken = [set(lake.read(task_table(one), "d.0000")["persona_ids"].explode()) for one in (POEM, songs)]
    assert [len(ids) for ids in taken] == [10, 10]
    assert len(taken[0] & taken[1]) < 10


def test_a_task_file_can_name_its_target(lake: Lake) -> None:
    people(lake, 9)
    report = run_task(context(lake, Poet()), TaskStep(POEM.model_copy(update={"target": 4})), "d.0000")
    assert report.kept == 4


def test_a_target_of_an_unknown_task_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"PERSONA_TARGETS: task poem is unknown \(known: .*math_problems"):
        load_tasks(Settings(targets={"poem": 5}))
