"""What was marked to be asked again, in a run that a person launches in Dagster."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import orjson
import pytest
from dagster import DagsterInstance

from persona_assets.again import ask_again
from persona_assets.defs.partitions import register
from persona_assets.engines.openai import faults
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, SHARD_FILES
from persona_assets.settings import load_settings
from persona_assets.state import LakeState, State
from persona_assets_tests.defs.running import lake, planned, run_job
from persona_assets_tests.engines.server import Body, completion, serve

SHARD = "crawl-1.0000"


def personas(body: Body) -> str:
    both = [{"relation": relation, "persona": f"A beekeeper who likes to {relation}"} for relation in ("read", "write")]
    return orjson.dumps({"nobody": None, "personas": both}).decode()


def cuts_short(body: Body) -> tuple[int, Body] | None:
    """Every answer is cut, unless it may be longer."""
    return None if body["max_tokens"] >= 8192 else (200, completion('{"nobody": null, "pers', "length"))


def test_a_launched_run_asks_what_was_marked_and_nothing_else(
    instance: DagsterInstance,
    definitions: dg.Definitions,
    drop: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)
    drop("crawl-1", "a.jsonl", 1, 2)
    planned()
    register(instance, lake().keys(SHARD_FILES))
    with serve(personas, own=cuts_short) as server:
        values = {"ENGINE": "openai", "MODEL": "m", "BASE_URL": server.url, "MAX_PARSE_FAILURE_RATE": "1"}
        for name, value in (values | {"MAX_REJECT_RATE": "1"}).items():
            monkeypatch.setenv(f"PERSONA_{name}", value)

        def launch() -> None:
            assert run_job(instance, definitions, "__ASSET_JOB", SHARD, "", "extracted_personas").success

        assert run_job(instance, definitions, "__ASSET_JOB", SHARD, "", "raw_documents").success
        launch()
        assert dict(lake().rejects(EXTRACTED_PERSONAS).collect()["reason"].value_counts().iter_rows()) == {
            "truncated": 2
        }
        paid = len(server.bodies)
        [marked] = ask_again(LakeState(lake(), load_settings()), ["truncated"], lambda *_: True, 8192)
        assert (marked.key, marked.questions) == (SHARD, 2)
        assert LakeState(lake(), load_settings()).of("extracted_personas", SHARD).state is not State.DONE
        launch()
        assert [body["max_tokens"] for body in server.bodies[paid:]] == [8192, 8192]
        assert lake().read(EXTRACTED_PERSONAS, SHARD).height == 4
        launch()
        assert len(server.bodies) == paid + 2
        assert LakeState(lake(), load_settings()).of("extracted_personas", SHARD).state is State.DONE
