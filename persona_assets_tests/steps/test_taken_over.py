"""A run that stood still, and whose partition another run has taken over, pays for no more."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson

from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.heartbeat import Timing
from persona_assets.lake.leases import LeaseLost, hold
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.personas.extract import extract_personas
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets_tests.engines.server import serve
from persona_assets_tests.plan.work import PAGES, Work

TIMING = Timing(beat_s=0.05, stale_s=0.6, poll_s=0.02)
SHARD, DOCUMENTS = "d.0000", 200
AHEAD = 2  # calls that an engine with one at a time had in flight or taken over when it was stopped
ANSWER = '{"personas": [{"relation": "read", "persona": "A beekeeper who reads"}]}'


def work_in(folder: Path) -> Work:
    work = Work(folder, Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps"), settle_s=0, near_pages=0))
    pages = [f"Page {number}. {PAGES[number % len(PAGES)]}" for number in range(DOCUMENTS)]
    path = folder / "dumps" / "d" / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(orjson.dumps({"text": page}, option=orjson.OPT_APPEND_NEWLINE) for page in pages))
    work.run(until="raw_documents")
    return work


def test_a_holder_that_was_taken_over_makes_no_further_call(tmp_path: Path) -> None:
    work = work_in(tmp_path)
    with serve(lambda body: ANSWER, delay_s=0.02) as server:
        command = [sys.executable, "-m", __name__, work.settings.lake, work.settings.dumps, server.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        while len(server.bodies) < 10 and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        asked = len(server.bodies)
        with hold(work.lake, EXTRACTED_PERSONAS.name, SHARD, run_id="second", timing=TIMING) as lease:
            assert lease.generation == 2
            os.kill(process.pid, signal.SIGCONT)
            said, _ = process.communicate()
    assert said.startswith(b"extracted_personas d.0000: another run took it over as generation 2")
    assert len(server.bodies) <= asked + AHEAD < DOCUMENTS
    assert not work.lake.exists(EXTRACTED_PERSONAS, SHARD)


if __name__ == "__main__":
    heartbeat.TIMING = TIMING
    root, dumps, url = sys.argv[1:]
    values = Settings(lake=root, dumps=dumps, engine="openai", model="m", base_url=url, concurrency=1)
    lake = Lake(root)
    context = Context(lake, values, OpenAIEngine(values), "first", keeper=LakeState(lake, values))
    try:
        extract_personas(context, SHARD)
    except LeaseLost as error:
        sys.stdout.write(str(error))
