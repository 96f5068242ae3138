"""The Dagster UI as a person sees it, in headless Chromium, on a server of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from persona_assets.crawl.arrival import plan_shards
from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets.settings import Settings
from persona_assets_tests.browser import CHROMIUM, Page, browser
from persona_assets_tests.defs.conftest import PAGE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
ASSETS = ["raw_documents", "extracted_personas", "persona_survivors", "deduped_personas", "math_problems"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"{url}/server_info") as answer:
                json.load(answer)
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError("the server did not answer within two minutes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one registered shard that nothing has been made of."""
    place = tmp_path_factory.mktemp("ui")
    dump = place / "dumps" / "crawl-1"
    dump.mkdir(parents=True)
    (dump / "a.jsonl").write_text(
        "".join(json.dumps({"text": PAGE.format(n=n), "url": f"https://bees{n}.example/"}) + "\n" for n in (1, 2))
    )
    home = place / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    settings = Settings(lake=str(place / "lake"), dumps=str(place / "dumps"), settle_s=0)
    shards = [shard.shard for shard in plan_shards(Lake(settings.lake), settings, time.time() + 1).shards]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("shards", shards)
        instance.add_dynamic_partitions("dumps", ["crawl-1"])
    return place


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    port = free_port()
    environment = os.environ | {
        "DAGSTER_HOME": str(place / "home"),
        "PERSONA_LAKE": str(place / "lake"),
        "PERSONA_DUMPS": str(place / "dumps"),
    }
    command = [sys.executable, "-m", "dagster", "dev", "-m", "persona_assets.definitions", "-p", str(port)]
    with (place / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=place, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


@pytest.fixture(scope="module")
def page(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_the_graph_shows_the_assets(page: Page, url: str) -> None:
    groups = "%2C".join(f"global%40global%3A{group}" for group in ("corpus", "personas", "datasets"))
    page.open(f"{url}/asset-groups?expanded={groups}")
    for name in ASSETS:
        assert page.shows(name, 60)


def test_an_asset_page_shows_its_checks_and_columns(page: Page, url: str) -> None:
    page.open(f"{url}/assets/extracted_personas?view=checks")
    assert page.shows("parents_exist", 60)
    page.click("calls_exist", selector="a, button, div[class]")
    assert page.shows("Every generated row has its call in the ledger")
    assert page.shows("This is a blocking asset check")


def test_the_sensors_are_there_and_stopped(page: Page, url: str) -> None:
    page.open(f"{url}/automation")
    assert page.shows("new_crawl_dumps", 60)
    assert page.shows("follow_new_data")


def test_a_partition_is_materialised_from_the_page(page: Page, url: str, place: Path) -> None:
    page.open(f"{url}/assets/raw_documents?view=partitions")
    page.click("Materialize…", seconds=60)
    assert page.shows("Partition selection")
    page.click("All")
    assert page.shows("1 partition")
    page.click("Launch")
    lake, deadline = Lake(place / "lake"), time.monotonic() + 120
    while not lake.exists(RAW_DOCUMENTS, "crawl-1.0000"):
        assert time.monotonic() < deadline, (place / "server.log").read_text()[-3000:] + page.text
        time.sleep(0.5)
    assert lake.read(RAW_DOCUMENTS, "crawl-1.0000").height == 2
