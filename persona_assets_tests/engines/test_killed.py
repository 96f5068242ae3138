import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from persona_assets.engines.hop import Context
from persona_assets.engines.openai import OpenAIEngine
from persona_assets.lake import Lake
from persona_assets_tests.engines.server import serve
from persona_assets_tests.engines.tiny import key_of, mixed_reader, run_hop, settings, stored_ids, table_of

DOCUMENTS = 120
CONCURRENCY = 8


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object]:
    lake = Lake(tmp_path_factory.mktemp("undisturbed"))
    with serve(mixed_reader) as server:
        values = settings(server.url)
        run_hop(Context(lake, values, OpenAIEngine(values), "run"), DOCUMENTS)
    return table_of(lake)


@pytest.mark.parametrize("moment", range(4))
def test_a_run_killed_at_any_moment_and_run_again_equals_an_undisturbed_one(
    lake: Lake, undisturbed: tuple[object, object], moment: int
) -> None:
    after = random.Random(moment).randrange(moment * 40, moment * 40 + 40)  # of about 150 calls with the repairs
    with serve(mixed_reader, delay_s=0.03) as server:
        command = [sys.executable, "-m", "persona_assets_tests.engines.tiny", lake.root, server.url, str(DOCUMENTS)]
        process = subprocess.Popen(command)
        while len(server.bodies) < after and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
        asked_before = [key_of(body) for body in server.bodies]
        held = set(stored_ids(lake))
        values = settings(server.url, concurrency=CONCURRENCY)
        server.delay_s = 0.0
        done = len(asked_before)
        run_hop(Context(lake, values, OpenAIEngine(values), "again"), DOCUMENTS)
        asked_after = Counter(key_of(body) for body in server.bodies[done:])
    assert not held & set(asked_after)  # what was stored is not paid again
    assert max(asked_after.values(), default=1) == 1
    assert set(stored_ids(lake)) == held | set(asked_after)
    assert table_of(lake) == undisturbed
