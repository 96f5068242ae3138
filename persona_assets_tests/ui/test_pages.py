"""The Dagster UI as a person sees it, in headless Chromium, on a webserver and a daemon of its own."""

import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import dagster as dg
import pytest

from persona_assets.crawl.arrival import plan_shards
from persona_assets.defs.partitions import bundled_sets, register
from persona_assets.lake.schemas import PERSONA_SURVIVORS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.state import LakeState
from persona_assets_tests.browser import CHROMIUM, Page, browser
from persona_assets_tests.defs.servers import SENSORS, Servers, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
ASSETS = ["raw_documents", "extracted_personas", "persona_survivors", "deduped_personas", "math_problems"]
NOTHING_CHOSEN = "Select a partition or create one"
CHOICES = "a, li, label, [class*=MenuItem]"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Two registered dumps, of two shards and of one, of which nothing has been made."""
    with running(tmp_path_factory.mktemp("ui")) as servers:
        servers.drop("crawl-1", "a.jsonl", 1, 2)
        servers.drop("crawl-2", "a.jsonl", 3)
        servers.drop("crawl-2", "b.jsonl", 4)
        plan_shards(servers.lake, servers.settings, 2e10)
        with dg.DagsterInstance.from_config(str(servers.place / "home")) as instance:
            sets = bundled_sets(LakeState(servers.lake, servers.settings))
            register(instance, servers.lake.keys(SHARD_FILES), sets)
        yield servers


@pytest.fixture(scope="module")
def page(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


def opened(page: Page) -> bool:
    """Whether a list of partitions is open."""
    return bool(page.evaluate("!!document.querySelector('[placeholder=\"Filter partitions\"]')"))


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)
    return holds()


def unchosen(page: Page) -> int:
    """In how many lists of partitions nothing is chosen yet."""
    shown = (
        "[...document.querySelectorAll('div, span')].filter(e => !e.childElementCount && e.textContent.trim() == %r)"
    )
    return int(page.evaluate(f"{shown % NOTHING_CHOSEN}.length"))


def choose(page: Page, choice: str) -> None:
    """Choose in the first list of partitions from which nothing is chosen yet."""
    assert page.shows(NOTHING_CHOSEN, 60)
    before = unchosen(page)
    for _ in range(5):  # a click while the list is still filled chooses nothing
        for _ in range(10):
            page.click(NOTHING_CHOSEN, selector="div, span", seconds=60)
            if within(3, lambda: opened(page)):
                break
        page.click(choice, selector=CHOICES)
        for _ in range(10):
            page.click("Launch runs to materialize", selector="div, span, h1, h2")  # closes the list
            if within(3, lambda: not opened(page)):
                break
        if within(15, lambda: unchosen(page) < before):
            return
    raise AssertionError(f"{choice} is not chosen; the page shows {page.text[-2000:]}")


def backfills(servers: Servers) -> list[str]:
    """The backfills so far, the first first."""
    query = "{ partitionBackfillsOrError { ... on PartitionBackfills { results { id } } } }"
    return [one["id"] for one in reversed(servers.ask(query)["partitionBackfillsOrError"]["results"])]


def launched(page: Page, servers: Servers) -> None:
    """Launch the backfill of the dialogue, which then succeeds."""
    before = len(backfills(servers))
    page.click("Launch backfill", selector="button")
    servers.wait(lambda: len(backfills(servers)) > before, f"a backfill; the page shows {page.text[-2000:]}")
    found = servers.backfilled(backfills(servers)[-1])
    assert found.status == "COMPLETED_SUCCESS", servers.told()
    assert found.targeted == found.materialised


def launch_run(page: Page, servers: Servers) -> None:
    """Launch the run of the dialogue."""
    before = len(servers.runs())
    page.click("Launch", selector="button")
    servers.wait(lambda: len(servers.runs()) > before, f"a run; the page shows {page.text[-2000:]}")


def test_the_graph_shows_the_assets(page: Page, servers: Servers) -> None:
    groups = "%2C".join(f"global%40global%3A{group}" for group in ("corpus", "personas", "datasets"))
    chosen = quote('+key:"math_answers"', safe="")  # of a larger graph only what fits the window is drawn
    page.open(f"{servers.url}/asset-groups~{chosen}?expanded={groups}")
    for name in ASSETS:
        assert page.shows(name, 60)


def test_an_asset_page_shows_its_checks_and_columns(page: Page, servers: Servers) -> None:
    page.open(f"{servers.url}/assets/extracted_personas?view=checks")
    assert page.shows("parents_exist", 60)
    page.click("calls_exist", selector="a, button, div[class]")
    assert page.shows("Every row that a model was asked for has its call in the ledger")
    assert page.shows("This is a blocking asset check")


def test_the_partitions_are_shown_by_dump_and_part(page: Page, servers: Servers) -> None:
    page.open(f"{servers.url}/assets/filtered_personas?view=partitions")
    for text in ("4 Partitions Selected", "crawl-1", "crawl-2", "0000", "0001"):
        assert page.shows(text, 60)


def test_a_partition_is_materialised_from_the_page(page: Page, servers: Servers) -> None:
    page.open(f"{servers.url}/assets/raw_documents?view=partitions")
    page.click("Materialize…", seconds=60)
    choose(page, "crawl-1")
    choose(page, "0000")
    assert page.shows("1 partition")
    launch_run(page, servers)
    servers.wait(lambda: servers.lake.exists(RAW_DOCUMENTS, "crawl-1.0000"), "the partition is made")
    assert servers.lake.read(RAW_DOCUMENTS, "crawl-1.0000").height == 2


def test_everything_of_a_dump_and_then_its_survivors_alone_are_backfilled_from_the_pages(
    page: Page, servers: Servers
) -> None:
    page.open(f"{servers.url}/assets/worlds?view=partitions")
    page.click("Materialize…", seconds=60)
    choose(page, "Select all")
    launch_run(page, servers)
    servers.wait(lambda: len(servers.lake.records.all("worlds")) == 3, "the worlds are made")

    # Assets of several kinds of partitions have nothing to choose from together; those of crawls do.
    others = " and ".join(f'not key:"{name}"+' for name in ("skills", "survey_files", "poles", "casts"))
    chosen = quote(f'key:"raw_documents"+ and {others}', safe="")
    page.open(f"{servers.url}/asset-groups~{chosen}")
    page.click("Materialize all", seconds=60)
    choose(page, "crawl-2")
    choose(page, "Select all")
    launched(page, servers)
    assert servers.done("crawl-2")

    before = servers.lake.require(PERSONA_SURVIVORS, "crawl-2").generation
    # The dump is chosen on the page: what the dialogue has chosen without that hangs on what has loaded by then.
    page.open(f"{servers.url}/assets/persona_survivors?view=partitions&default_range=crawl-2")
    assert page.shows("1 Partitions Selected", 60)
    page.click("Materialize…", seconds=60)
    assert page.shows("1 partition\n", 60)
    launch_run(page, servers)
    servers.wait(
        lambda: servers.lake.require(PERSONA_SURVIVORS, "crawl-2").generation > before, "the survivors are made again"
    )


def test_the_sensors_are_stopped_and_a_dump_flows_once_they_are_turned_on(page: Page, servers: Servers) -> None:
    page.open(f"{servers.url}/automation")
    for name in SENSORS:
        assert page.shows(name, 60)
    assert [servers.ticks(name) for name in SENSORS] == [[], []]
    for name in SENSORS:
        page.open(f"{servers.url}/locations/persona_assets/sensors/{name}")
        assert page.shows("Sensor has never run", 60)
        page.click_on("[role=switch], input[type=checkbox]")
        servers.wait(lambda name=name: servers.ticks(name), f"{name} is on; the page shows {page.text[-1000:]}", 60)
    servers.drop("crawl-3", "a.jsonl", 5)
    servers.drop("crawl-3", "b.jsonl", 6)
    servers.wait(lambda: servers.done(), "the dumps flow", 400)
    assert {run.status for run in servers.settled()} == {"SUCCESS"}
