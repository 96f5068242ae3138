"""Systems under test: values of `over` that answer, each by its own engine and model."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_assets.engines.select import Engines
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lineage.audit import audit
from persona_assets.lineage.model import Status
from persona_assets.plan.figures import PartitionPlan
from persona_assets.plan.funnel import Funnel
from persona_assets.plan.shard import Flow, Walks
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context, Report
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.server import Body, Server, serve
from persona_assets_tests.rows import SHARD
from persona_assets_tests.tasks.own import answer_of, people, task, write

EXAM: dict[str, Any] = task(
    "exam", "{{ system.manner }}: {{ persona }}?", answer_of(text="string"),
    over={"system": {"file": "systems/*.yaml", "answers": "all"}},
)  # fmt: skip


def said(body: Body) -> str:
    return json.dumps({"text": f"{body['model']}: {body['messages'][-1]['content']}"})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(said) as running:
        yield running


def system(folder: Path, server: Server, name: str, **values: Any) -> None:
    """A file of a system."""
    (folder / "tasks" / "systems").mkdir(parents=True, exist_ok=True)
    told = {"engine": "openai", "base_url": server.url, "model": name, "manner": f"As {name}"} | values
    (folder / "tasks" / "systems" / f"{name}.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")


def loaded(folder: Path, told: dict[str, Any] = EXAM) -> tuple[Settings, TaskStep]:
    settings = write(folder / "tasks", told).model_copy(update={"lake": str(folder / "lake")})
    step = datasets(settings)[told["name"]]
    assert isinstance(step, TaskStep)
    return settings, step


def run(lake: Lake, settings: Settings, step: TaskStep) -> Report:
    engines = Engines(lake)
    try:
        return run_task(Context(lake, settings, engines, "run"), step, SHARD)
    finally:
        engines.close()


def asked(server: Server) -> Counter[str]:
    """How often each model was asked since the last time."""
    found = Counter(body["model"] for body in server.bodies)
    server.bodies.clear()
    return found


def test_each_system_answers_every_row_by_its_own_model(lake: Lake, tmp_path: Path, server: Server) -> None:
    people(lake, "Ada", "Ben", "Cem")
    system(tmp_path, server, "small")
    system(tmp_path, server, "large", temperature=0.1)
    settings, step = loaded(tmp_path)
    report = run(lake, settings, step)
    assert asked(server) == {"small": 3, "large": 3}
    assert (report.inputs, report.kept, report.calls_made) == (6, 6, 6)
    rows = lake.read(step.table, SHARD).to_dicts()
    assert {(row["system"], row["model"], row["text"].partition(":")[0]) for row in rows} == {
        ("small", "small", "small"),
        ("large", "large", "large"),
    }
    assert run(lake, settings, step).calls_made == 0


def test_a_further_system_is_asked_alone(lake: Lake, tmp_path: Path, server: Server) -> None:
    people(lake, "Ada", "Ben")
    system(tmp_path, server, "small")
    run(lake, *loaded(tmp_path))
    asked(server)
    system(tmp_path, server, "new")
    run(lake, *loaded(tmp_path))
    assert asked(server) == {"new": 2}


def test_an_address_that_changes_asks_nothing_anew_and_another_model_does(
    lake: Lake, tmp_path: Path, server: Server
) -> None:
    people(lake, "Ada")
    system(tmp_path, server, "small")
    settings, step = loaded(tmp_path)
    before = assets(settings)["exam"]
    run(lake, settings, step)
    with serve(said) as other:
        system(tmp_path, other, "small")
        settings, step = loaded(tmp_path)
        moved = assets(settings)["exam"]
        assert moved.recipe(settings, moved.identity(settings)) == before.recipe(settings, before.identity(settings))
        assert run(lake, settings, step).calls_made == 0
        system(tmp_path, other, "small", model="smaller")
        settings, step = loaded(tmp_path)
        assert run(lake, settings, step).calls_made == 1


def test_the_recipe_of_a_local_model_hangs_on_the_digest_of_its_weights(tmp_path: Path, server: Server) -> None:
    weights = tmp_path / "model"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"one")
    system(tmp_path, server, "tuned", engine="transformers", model=str(weights))
    settings, _ = loaded(tmp_path)
    recipes = []
    for content in (b"one", b"another"):
        (weights / "model.safetensors").write_bytes(content)
        asset = assets(settings)["exam"]
        recipes.append(asset.recipe(settings, asset.identity(settings))["systems"]["tuned"]["turn1"])
    assert recipes[0]["model"] == recipes[1]["model"]
    assert recipes[0]["revision"] != recipes[1]["revision"]


def test_one_speaker_of_a_talk_may_be_the_system(lake: Lake, tmp_path: Path, server: Server) -> None:
    people(lake, "Ada")
    system(tmp_path, server, "small")
    system(tmp_path, server, "large")
    sides = {
        name: {
            "messages": [
                {"role": "system", "content": "You are {{ system.manner }}"},
                {"role": "user", "content": "Go"},
            ],
            "response_schema": answer_of(text="string"),
            "says": "text",
        }
        for name in ("host", "guest")
    }
    talk = {key: value for key, value in EXAM.items() if key not in ("messages", "response_schema")}
    talk |= {"talk": {"most": 4, "speakers": sides}}
    talk |= {"over": {"system": {"file": "systems/*.yaml", "answers": "guest"}}}
    settings, step = loaded(tmp_path, talk)
    asked(server)
    host = settings.model_copy(update={"engine": "openai", "model": "host", "base_url": server.url})
    run(lake, host, step)
    assert asked(server) == {"host": 4, "small": 2, "large": 2}


def test_a_plan_looks_every_system_up_and_an_audit_asks_again(lake: Lake, tmp_path: Path, server: Server) -> None:
    people(lake, "Ada", "Ben")
    system(tmp_path, server, "small")
    settings, step = loaded(tmp_path)
    run(lake, settings, step)
    system(tmp_path, server, "new")
    settings, step = loaded(tmp_path)
    engines = Engines(lake)
    context = Context(lake, settings, engines, "run")
    walks = Walks(context, {"exam": step}, Funnel(lake, settings, context.ledger))
    plan = PartitionPlan("exam", SHARD)
    there = PartitionPlan("deduped_personas", SHARD, done=True, stored=2)
    walks.ask(Flow(SHARD, {"deduped_personas": there}), plan)
    engines.close()
    assert (plan.reused, plan.new.value, plan.questions.value) == (2, 2, 4)
    row = lake.read(step.table, SHARD)["sample_id"][0]
    checks = {check.name: check.status for check in audit(lake, settings, row).root.verifications}
    assert checks["row_parses_again"] is Status.OK


@pytest.mark.parametrize(
    "values, change, said",
    [
        (
            {"api_key": "k"},
            {},
            "system small: no key belongs into a file; name the variable that holds it in api_key_env",
        ),
        ({"engine": "opnai"}, {}, "system small: engine: Value error, there is no engine opnai; did you mean openai"),
        ({}, {"answers": "guest"}, "over.system.answers: (known: all, turn1)"),
        ({}, {"answer": "all"}, "over.system.answer: unknown key; did you mean answers?"),
        ({}, {"file": "system/*.yaml"}, "over.system.file: there is no YAML file"),
    ],
)
def test_mistakes_are_told_with_file_line_and_key(
    tmp_path: Path, server: Server, values: dict[str, Any], change: dict[str, str], said: str
) -> None:
    system(tmp_path, server, "small", **values)
    over = {"system": {"file": "systems/*.yaml", "answers": "all"} | change}
    with pytest.raises(UsageError) as error:
        loaded(tmp_path, EXAM | {"over": over})
    assert f"{tmp_path}/tasks/exam.yaml:" in str(error.value)
    assert said in str(error.value)


def test_a_system_that_names_nobody_is_told(tmp_path: Path) -> None:
    over = {"system": {"values": [{"id": "one", "modle": "x", "manner": "y"}], "answers": "all"}}
    with pytest.raises(UsageError, match="system one names neither an engine nor a model"):
        loaded(tmp_path, EXAM | {"over": over})
