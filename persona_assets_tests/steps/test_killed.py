"""Runs that are killed (-9) again and again under a faulty server."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson

from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.lake import Lake
from persona_assets.steps.runner import Context
from persona_assets_tests.engines.server import Server, serve
from persona_assets_tests.engines.tiny import key_of, mixed_reader, run_step, settings, stored_ids, table_of

DOCUMENTS = 160
KILLS = 10
# Passing faults, a fifth of all answers; what is wrong in an answer follows from its question (`mixed_reader`).
FAULTS = {"rate": 0.04, "error": 0.04, "unavailable": 0.03, "garbage": 0.03, "half": 0.03, "close": 0.03}


def test_a_run_killed_ten_times_under_a_faulty_server_equals_an_undisturbed_one(lake: Lake, tmp_path: Path) -> None:
    undisturbed = Lake(tmp_path / "undisturbed")
    with serve(mixed_reader) as server:
        finish(undisturbed, server)
    moments = random.Random(4)
    with serve(mixed_reader, shares=FAULTS, delay_s=0.03) as server:
        for _ in range(KILLS):
            held = set(stored_ids(lake))
            killed_after(lake, server, moments.randrange(2, 25))
            assert not held & set(answered_well(server))  # what was stored is not asked again
            server.paid.clear()
        held = set(stored_ids(lake))
        finish(lake, server)
        assert not held & set(answered_well(server))
        assert max(answered_well(server).values(), default=1) == 1
    assert table_of(lake) == table_of(undisturbed)
    assert sorted(stored_ids(lake)) == sorted(stored_ids(undisturbed))


def killed_after(lake: Lake, server: Server, answers: int) -> None:
    """Run the hop in a process of its own until the server has given so many further answers, then kill it."""
    command = [sys.executable, "-m", "persona_assets_tests.engines.tiny", lake.root, server.url, str(DOCUMENTS)]
    process = subprocess.Popen(command)
    while server.paid.total() < answers and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()


def finish(lake: Lake, server: Server) -> None:
    values = settings(server.url, max_retries=20)
    run_step(Context(lake, values, OpenAIEngine(values), "last"), DOCUMENTS)


def answered_well(server: Server) -> Counter[str]:
    """The calls that the server has answered, which are paid for, by their ids."""
    return Counter(
        {key_of({"messages": orjson.loads(messages)}): times for messages, times in list(server.paid.items())}
    )
