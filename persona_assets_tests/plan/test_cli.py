import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.ledger.ledger import Ledger
from persona_assets.plan import report
from persona_assets.plan.figures import Amount, Basis, Cap
from persona_assets.view.html import render_page
from persona_assets_tests.plan.test_plan import snapshot
from persona_assets_tests.plan.work import Work, new_calls


def run(work: Work, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERSONA_")}
    own = {"lake": work.settings.lake, "dumps": work.settings.dumps, "files_per_shard": 1, "hops": 1, "fanout": 1}
    environment |= {f"PERSONA_{name.upper()}": str(value) for name, value in (own | settings).items()}
    command = [sys.executable, "-m", "persona_assets", "plan", *arguments]
    return subprocess.run(command, cwd=work.folder, env=environment, capture_output=True, text=True, check=False)


def test_the_command_prints_json_and_nothing_else(work: Work) -> None:
    work.run(until="raw_documents")
    before = snapshot(work.folder)
    done = run(work, "--json")
    value = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    calls = {found["asset"]: found["new_calls"] for found in value["assets"] if found["model"]}
    assert calls == {name: round(count, 1) for name, count in new_calls(work.plan()).items()}
    assert snapshot(work.folder) == before


def test_the_command_prints_a_table_bars_and_budgets(work: Work) -> None:
    work.run(until="raw_documents")
    done = run(work, max_cost_per_run="0.0001", price_in=1, price_out=2)
    assert done.returncode == 0
    assert "extracted_personas" in done.stdout
    assert "Money by asset" in done.stdout
    assert "█" in done.stdout
    assert "PERSONA_MAX_COST_PER_RUN=0.0001 would stop it after ~" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--asset", "haiku"), "asset haiku is unknown"),
        (("--tokens-per-second", "0"), "--tokens-per-second"),
        (("--gpus", "nan"), "--gpus"),
        (("--html", "nowhere/plan.html"), "no such folder"),
    ],
)
def test_wrong_use_exits_with_2(work: Work, arguments: tuple[str, ...], said: str) -> None:
    done = run(work, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_is_self_contained_and_escapes_what_others_named(work: Work) -> None:
    work.run(until="raw_documents")
    (work.folder / "dumps" / "<img src=x onerror=alert(1)>").mkdir()
    html = render_page(report.page(work.having(max_calls_per_run=3).plan()))
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<script" not in html
    assert "http:" not in html
    assert "https:" not in html
    assert html.count('<div class="bar">') == len(new_calls(work.plan()))
    assert "PERSONA_MAX_CALLS_PER_RUN=3 would stop it" in html


def test_a_damaged_ledger_is_one_line(finished: Work) -> None:
    path = Path(Ledger(finished.lake).paths("math_problems")[0])
    path.write_bytes(path.read_bytes()[:-40])
    done = run(finished)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "damaged parts" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_can_be_written_of_a_plan_without_work(finished: Work) -> None:
    assert 'class="bar"' not in render_page(report.page(finished.plan()))


def test_figures_that_are_not_exact_are_marked() -> None:
    assert report.amount(Amount(12.4)) == "12"
    assert report.amount(Amount(1234.5, Basis.FUNNEL)) == "~1,234"
    assert Amount(2) + Amount(0, Basis.ASSUMED) == Amount(2)
    assert Amount(2) + Amount(1, Basis.FUNNEL) * Amount(0.5, Basis.ASSUMED) == Amount(2.5, Basis.ASSUMED)


def test_a_cap_line_says_what_it_would_do() -> None:
    assert Cap("PERSONA_MAX_COST_PER_RUN", 10, 10, 16.1).line == (
        "PERSONA_MAX_COST_PER_RUN=10 would stop it after ~62% (16.1 needed)"
    )
    assert Cap("PERSONA_MAX_CALLS_PER_DAY", 50, 20, 20).line == (
        "PERSONA_MAX_CALLS_PER_DAY=50, of which 20 is left today, is enough: 20 needed"
    )


def test_the_job_shows_the_plan_in_its_run_and_writes_nothing_to_the_lake(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.run(until="raw_documents")
    for name in ("lake", "dumps", "files_per_shard", "settle_s", "hops"):
        monkeypatch.setenv(f"PERSONA_{name.upper()}", str(getattr(work.settings, name)))
    monkeypatch.setenv("PERSONA_FANOUT", "1")
    from persona_assets.definitions import defs

    before = snapshot(work.folder)
    config = {"ops": {"estimate": {"config": {"shards": ["d.0000"], "tokens_per_second": 100.0, "gpus": 2.0}}}}
    with DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("plan").execute_in_process(instance=instance, run_config=config)
        assert result.success
        [event] = [event for event in result.all_events if event.is_successful_output]
    metadata = event.event_specific_data.metadata
    planned = work.plan(shards=("d.0000",))
    assert metadata["new calls"] == dg.MetadataValue.int(round(planned.total("calls").value))
    assert "| extracted_personas | 1 | 2 | 0 | 2 |" in metadata["plan"].value
    assert "GPU-h" in metadata["plan"].value
    assert "█" in metadata["new calls by asset"].value
    assert snapshot(work.folder) == before
