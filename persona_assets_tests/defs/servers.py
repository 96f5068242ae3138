"""A real code server, webserver and daemon over a lake and an instance of their own, asked as the UI asks them."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets_tests.defs.conftest import PAGE

T = TypeVar("T")
LOCATION = "persona_assets"
REPOSITORY = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__"}
# Dagster walks the graph in the order of sets. With this seed the survivors of a dump come before what is published, so
# that a backfill over both takes in all combinations of the dump; with others it takes the asked ones alone.
HASH_SEED = "3"
OVER = ("SUCCESS", "FAILURE", "CANCELED")
INSTANCE = """
telemetry: {{enabled: false}}
nux: {{enabled: false}}
concurrency: {{runs: {{max_concurrent_runs: 2}}}}
storage: {{custom: {{module: persona_assets.defs.storage, class: Storage, config: {{base_dir: '{home}/storage'}}}}}}
"""
# As little as each asset can be made of.
SMALL: dict[str, Any] = {
    "hops": 0,
    "relations": "read",
    "personas_per_relation": 1,
    "settle_s": 0,
    "files_per_shard": 1,
}

BACKFILL = """mutation B($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) { __typename
 ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message stack } } }"""
BACKFILLED = """query Q($b: String!) { partitionBackfillOrError(backfillId: $b) { ... on PartitionBackfill { status
 error { message } assetBackfillData { assetBackfillStatuses { ... on AssetPartitionsStatusCounts { assetKey { path }
 numPartitionsTargeted numPartitionsMaterialized numPartitionsFailed } } } } } }"""
RUN = """mutation R($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) { __typename
 ... on LaunchRunSuccess { run { runId } } ... on PythonError { message stack } } }"""
RUNS = """{ runsOrError(limit: 500) { ... on Runs { results { runId status startTime endTime assetSelection { path }
 tags { key value } } } } }"""
ACTIVE = """{ partitionBackfillsOrError(status: REQUESTED) { ... on PartitionBackfills { results { id } } } }"""
START = """mutation S($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename
 ... on PythonError { message } } }"""
TICKS = """query Q($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState {
 ticks(limit: 500) { status timestamp endTimestamp error { message } } } } } }"""


@dataclass(frozen=True)
class Run:
    """A run as the server tells of it; partitions by Dagster's keys."""

    run_id: str
    status: str
    seconds: float
    assets: frozenset[str]
    tags: Mapping[str, str]

    @property
    def at(self) -> str:
        """Its partition, or the ends of its range."""
        ends = [self.tags.get(f"dagster/asset_partition_range_{end}", "") for end in ("start", "end")]
        return self.tags.get("dagster/partition") or "..".join(dict.fromkeys(ends))

    def __str__(self) -> str:
        return f"{self.status} {self.at} {'+'.join(sorted(self.assets))} ({self.seconds:.1f} s)"


@dataclass(frozen=True)
class Backfilled:
    """How a backfill ended; by asset, the partitions that it was to make and those that it made."""

    status: str
    error: str
    targeted: Mapping[str, int]
    materialised: Mapping[str, int]
    failed: Mapping[str, int]


class Servers:
    """What runs, and how to ask it."""

    def __init__(self, place: Path, environment: Mapping[str, str], settings: Settings) -> None:
        """`running` makes it."""
        self.place, self.environment, self.settings = place, environment, settings
        self.lake = Lake(settings.lake)
        self.port = 0

    @property
    def url(self) -> str:
        """Address of the webserver."""
        return f"http://127.0.0.1:{self.port}"

    def logs(self) -> str:
        """What the servers have written."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.place.glob("*.log")))

    def ask(self, query: str, **variables: Any) -> Any:
        """One GraphQL request and its data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:3000]) from error
        assert "errors" not in found, found["errors"]
        return found["data"]

    def wait(self, holds: Callable[[], T | None], what: str, seconds: float = 300) -> T:
        """What `holds` gives as soon as that is anything."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}\n{self.told()}"
            time.sleep(0.3)
        return found

    def told(self) -> str:
        """Runs, errors of ticks, and what is not made, for a test that fails."""
        state = LakeState(self.lake, self.settings)
        waiting = [
            f"{one.state} {one.asset} {one.key}: {one.why}" for one in state.all() if one.state is not State.DONE
        ]
        errors = [t["error"]["message"] for name in SENSORS for t in self.ticks(name) if t["error"]]
        return "\n".join([*map(str, self.runs()), *errors[:2], *waiting[:20]])

    # The crawl

    def drop(self, dump: str, name: str, *pages: int | str) -> Path:
        """A crawl file of these pages: a number is a page of `PAGE`, all much alike; a text is a page of its own."""
        folder = Path(self.settings.dumps) / dump
        folder.mkdir(parents=True, exist_ok=True)
        texts = [page if isinstance(page, str) else PAGE.format(n=page) for page in pages]
        rows = [{"text": one, "url": f"https://bees{n}.example/"} for n, one in enumerate(texts)]
        path = folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    # What a person does

    def backfill(self, assets: Sequence[str], keys: Sequence[str] | None = None) -> str:
        """The dialogue's mutation: partitions of the first assets, by Dagster's keys, or all."""
        params: dict[str, Any] = {"tags": [], "assetSelection": [{"path": [name]} for name in assets]}
        params |= {"allPartitions": True} if keys is None else {"partitionNames": list(keys), "fromFailure": False}
        answer = self.ask(BACKFILL, p=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfilled(self, backfill: str, seconds: float = 300) -> Backfilled:
        """How it ended."""

        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = self.ask(BACKFILLED, b=backfill)["partitionBackfillOrError"]
            return None if found["status"] in ("REQUESTED", "CANCELING", "FAILING") else found

        found = self.wait(over, f"backfill {backfill}", seconds)
        counts = (found["assetBackfillData"] or {}).get("assetBackfillStatuses", [])
        by_name = {one["assetKey"]["path"][0]: one for one in counts if one}
        figures = [
            {name: int(one[f"numPartitions{what}"]) for name, one in by_name.items()}
            for what in ("Targeted", "Materialized", "Failed")
        ]
        return Backfilled(found["status"], (found["error"] or {}).get("message", ""), *figures)

    def launch(self, assets: Sequence[str], key: str) -> Run:
        """A run of one partition of these, by Dagster's key; as it ended."""
        tags = {"dagster/partition": key}
        if "|" in key:
            tags |= {
                f"dagster/partition/{name}": part for name, part in zip(("dump", "part"), key.split("|"), strict=True)
            }
        selector = REPOSITORY | {"jobName": "__ASSET_JOB", "assetSelection": [{"path": [name]} for name in assets]}
        params = {
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": name, "value": value} for name, value in tags.items()]},
            "selector": selector,
        }
        answer = self.ask(RUN, p=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        run_id = answer["run"]["runId"]

        def ended() -> Run | None:
            return next((run for run in self.runs() if run.run_id == run_id and run.status in OVER), None)

        return self.wait(ended, f"run {run_id}")

    def start(self, *sensors: str) -> None:
        """Turn sensors on."""
        for name in sensors:
            answer = self.ask(START, s=REPOSITORY | {"sensorName": name})["startSensor"]
            assert answer["__typename"] == "Sensor", answer

    # What a person sees

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        """The latest first."""
        found = self.ask(TICKS, s=REPOSITORY | {"sensorName": sensor})["sensorOrError"]
        return list(found["sensorState"]["ticks"])

    def runs(self) -> list[Run]:
        """All runs, the first first."""
        found = self.ask(RUNS)["runsOrError"]["results"]
        return [
            Run(
                one["runId"],
                one["status"],
                (one["endTime"] or 0) - (one["startTime"] or 0),
                frozenset(asset["path"][0] for asset in one["assetSelection"] or []),
                {tag["key"]: tag["value"] for tag in one["tags"]},
            )
            for one in reversed(found)
        ]

    def quiet(self, ticks: int = 3) -> bool:
        """Whether nothing runs, and nothing was asked for in the last ticks of each sensor that is on."""

        def at_rest() -> bool:
            return (
                all(run.status in OVER for run in self.runs())
                and not (self.ask(ACTIVE)["partitionBackfillsOrError"]["results"])
            )

        if not at_rest():
            return False
        before, runs = {name: len(self.ticks(name)) for name in SENSORS}, len(self.runs())
        on = [name for name, count in before.items() if count]
        self.wait(lambda: all(len(self.ticks(name)) >= min(500, before[name] + ticks) for name in on), "ticks")
        return at_rest() and len(self.runs()) == runs

    def settled(self, seconds: float = 300) -> list[Run]:
        """All runs, once nothing moves any more."""
        self.wait(self.quiet, "quiet", seconds)
        return self.runs()

    # The lake

    def states(self, *dumps: str) -> dict[tuple[str, str], State]:
        """How the partitions of these dumps stand, by asset and key."""
        state = LakeState(self.lake, self.settings)
        return {
            (one.asset, one.key): one.state for one in state.all() if not dumps or one.key.rsplit(".", 1)[0] in dumps
        }

    def done(self, *dumps: str) -> bool:
        """Whether everything of these dumps is made."""
        states = self.states(*dumps)
        return bool(states) and set(states.values()) <= {State.DONE, State.LEFT_OUT}


SENSORS = ("new_crawl_dumps", "follow_new_data")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _alone() -> Iterator[None]:
    """One set of servers at a time on this machine: each starts a process for every run, and two starve each other."""
    with Path(tempfile.gettempdir(), "persona_assets_tests.servers.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def running(place: Path, *, daemon: bool = True, **settings: Any) -> Iterator[Servers]:
    """Servers whose files are all in `place`; they end with it."""
    values = SMALL | {"lake": place / "lake", "dumps": place / "dumps"} | settings
    own = {f"PERSONA_{name.upper()}": str(value) for name, value in values.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PERSONA_")}
    environment = clean | own | {"DAGSTER_HOME": str(place / "home"), "DAGSTER_DISABLE_TELEMETRY": "1"}
    environment["PYTHONHASHSEED"] = HASH_SEED
    for folder in ("home", "dumps"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "home" / "dagster.yaml").write_text(INSTANCE.format(home=place / "home"))
    with dg.DagsterInstance.from_config(str(place / "home")) as instance:
        # Two processes that create the same SQLite file at one time fail.
        instance.get_runs(limit=1)
        instance.get_dynamic_partitions("dumps")
        instance.all_instigator_state()
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PERSONA_")}
    os.environ.update(own)
    try:
        servers = Servers(place, environment, Settings())
    finally:
        for name in own:
            del os.environ[name]
        os.environ.update(before)
    with _alone():
        yield from _served(place, environment, servers, daemon)


def _served(place: Path, environment: dict[str, str], servers: Servers, daemon: bool) -> Iterator[Servers]:
    code, servers.port = free_port(), free_port()
    workspace = place / "workspace.yaml"
    workspace.write_text(f"load_from: [{{grpc_server: {{host: localhost, port: {code}, location_name: {LOCATION}}}}}]")
    commands = {
        "code": ["-m", "persona_assets_tests.defs.fast_code", "-m", "persona_assets.definitions", "-p", str(code)],
        "web": ["-m", "dagster_webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(servers.port)],
        "daemon": ["-m", "persona_assets_tests.defs.fast_daemon", "run", "-w", str(workspace)],
    }
    processes = []
    try:
        for name, command in commands.items():
            if name == "daemon" and not daemon:
                continue
            with (place / f"{name}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, *command],
                        env=environment,
                        cwd=place,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        _wait_until_up(servers, processes)
        yield servers
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


def _wait_until_up(servers: Servers, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), servers.logs()[-3000:]
        try:
            if servers.ask(query)["repositoriesOrError"].get("nodes"):
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.3)
    raise AssertionError(f"the servers did not come up:\n{servers.logs()[-3000:]}")
