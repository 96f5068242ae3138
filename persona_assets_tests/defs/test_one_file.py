"""A new asset is one file: a task, or a function. Real servers make it, and every other place knows it from that."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from persona_assets.defs.partitions import register
from persona_assets.graph import assets
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets_tests.defs.servers import Servers, running

TASK = """
name: hints
version: 1
title: Hints
description: Two independent hints for a maths problem.
reads: math_problems
attempts: 2
messages:
  - role: user
    content: |-
      <language>{{ language_name }}</language>
      <persona>
      {{ persona }}
      </persona>
      Give a hint for: {{ problem }}
response_schema:
  type: object
  required: [hint]
  properties: {hint: {type: string, minLength: 1}}
offline:
  variants:
    en: [{let: {a: [1, 900]}, answer: {hint: "{{ person.indef | cap }} would begin with {{ a }}."}}]
"""
FUNCTION = """
import polars as pl

from persona_assets.tasks.derived import derived


@derived(reads="hints", columns={"longest": pl.String}, description="The longest hint of each problem.")
def longest_hints(hints: pl.LazyFrame) -> pl.LazyFrame:
    longest = pl.col("hint").sort_by(pl.col("hint").str.len_chars(), "hint").last()
    return (
        hints.group_by(pl.col("parent_ids").list.first().alias("problem"))
        .agg(longest=longest, parent_ids=pl.col("sample_id").sort())
        .select("parent_ids", "longest")
    )
"""
# Far from the other page, so that the personas of both stay apart whatever form each is given.
LIGHTHOUSE = (
    "The lighthouse at the end of the pier was built of grey granite in 1871. Its keeper climbs ninety steps twice a "
    "day to wind the clockwork, trim the lamp and polish the lens. In fog a horn sounds every forty seconds. Captains "
    "write the hour of each flash into their logs, and the coast guard compares them with the tide tables in winter."
)
NEW = ("hints", "longest_hints")
ABOVE = (
    *("raw_documents", "extracted_personas", "expanded_personas", "filtered_personas"),
    *("persona_survivors", "deduped_personas", "math_problems"),
)
ASSET = """query A($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode { groupName description
 dependencyKeys { path } pools kinds assetChecksOrError { ... on AssetChecks { checks { name } } }
 metadataEntries { __typename label ... on CodeReferencesMetadataEntry {
 codeReferences { ... on LocalFileCodeReference { filePath lineNumber } } } }
 assetMaterializations(limit: 1) { metadataEntries { label ... on TableColumnLineageMetadataEntry {
 lineage { columnName columnDeps { assetKey { path } columnName } } } } } } } }"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A dump of one shard, and two new assets. The command line makes all that they read; the webserver makes them."""
    place = tmp_path_factory.mktemp("one")
    tasks = place / "tasks"
    tasks.mkdir()
    (tasks / "hints.yaml").write_text(TASK, encoding="utf-8")
    (tasks / "longest.py").write_text(FUNCTION, encoding="utf-8")
    with running(place, tasks=tasks) as servers:
        servers.drop("crawl-1", "a.jsonl", 1, LIGHTHOUSE)
        for asset in ABOVE:
            command(servers, "run", "--asset", asset)
        assert planned(servers) == {"hints": (1, 4), "longest_hints": (1, 0)}
        with dg.DagsterInstance.from_config(str(place / "home")) as instance:
            register(instance, servers.lake.keys(SHARD_FILES))
        assert servers.launch(["hints", "longest_hints"], "crawl-1|0000").status == "SUCCESS", servers.told()
        yield servers


def command(servers: Servers, *words: str) -> str:
    """What the command line prints."""
    done = subprocess.run(
        [sys.executable, "-m", "persona_assets", *words],
        env=servers.environment,
        cwd=servers.place,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def rows(servers: Servers, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command(servers, "sql", query, "--json"))
    return found


def generations(servers: Servers) -> dict[str, int]:
    """How often each of the new assets was made."""
    tables = [assets(servers.settings)[name].table for name in NEW]
    return {table.name: servers.lake.require(table, "crawl-1.0000").generation for table in tables}


def planned(servers: Servers) -> dict[str, tuple[int, float]]:
    """Of the new assets, the partitions that a run would make and the calls that it would take."""
    plan = json.loads(command(servers, "plan", "--json"))
    by_name = {one["asset"]: (one["partitions"], one["new_calls"]) for one in plan["assets"]}
    return {name: by_name[name] for name in ("hints", "longest_hints")}


def test_both_are_made_in_one_run_of_the_webserver(servers: Servers) -> None:
    counts = {name: servers.lake.sound(assets(servers.settings)[name].table)["crawl-1.0000"].rows.rows for name in NEW}
    assert counts == {"hints": 4, "longest_hints": 2}


def test_the_ui_shows_what_they_are_made_of_and_where_they_are_declared(servers: Servers) -> None:
    hints, longest = (servers.ask(ASSET, k={"path": [name]})["assetNodeOrError"] for name in NEW)
    assert [one["path"] for one in longest["dependencyKeys"]] == [["hints"]]
    assert {one["path"][0] for one in hints["dependencyKeys"]} == {"math_problems", "deduped_personas"}
    assert {"accounted", "calls_exist", "parents_exist"} <= {
        check["name"] for check in hints["assetChecksOrError"]["checks"]
    }
    assert (hints["pools"], longest["pools"]) == (["model_offline"], [])
    [[code]] = [one["codeReferences"] for one in longest["metadataEntries"] if one.get("codeReferences")]
    assert (Path(code["filePath"]).name, code["lineNumber"]) == ("longest.py", 7)


def test_the_ui_shows_what_a_column_comes_from(servers: Servers) -> None:
    node = servers.ask(ASSET, k={"path": ["hints"]})["assetNodeOrError"]
    [made] = node["assetMaterializations"]
    [lineage] = [entry["lineage"] for entry in made["metadataEntries"] if entry.get("lineage")]
    by_column = {
        one["columnName"]: {(dep["assetKey"]["path"][0], dep["columnName"]) for dep in one["columnDeps"]}
        for one in lineage
    }
    assert by_column["hint"] == {("math_problems", "problem"), ("deduped_personas", "text")}
    assert by_column["parent_ids"] == {("math_problems", "sample_id")}


def test_run_plan_and_status_know_them_and_have_nothing_left_to_do(servers: Servers) -> None:
    before = generations(servers)
    command(servers, "run", "--asset", "hints", "--asset", "longest_hints")
    assert generations(servers) == before
    assert planned(servers) == {"hints": (0, 0), "longest_hints": (0, 0)}
    status = json.loads(command(servers, "status", "--json"))
    assert {status["dumps"]["crawl-1"][name]["done"] for name in NEW} == {1}


def test_the_catalogue_has_them_and_every_question_is_in_one_place(servers: Servers) -> None:
    found = rows(servers, "SELECT asset, count(*) AS n, sum(kept)::INT AS kept FROM fate GROUP BY asset")
    assert [(one["n"], one["kept"]) for one in found if one["asset"] in NEW] == [(4, 4), (4, 4)]
    found = rows(servers, "SELECT calls FROM spending WHERE asset = 'hints'")
    assert found == [{"calls": 4}]
    assert rows(servers, "SELECT count(*) AS n FROM samples WHERE task = 'longest_hints'") == [{"n": 2}]


def test_a_row_is_audited_to_its_page_and_found_from_there(servers: Servers) -> None:
    [one] = rows(servers, "SELECT sample_id, document_id FROM longest_hints ORDER BY ALL LIMIT 1")
    audit = json.loads(command(servers, "audit", one["sample_id"], "--json"))
    assert audit["ok"]
    assert [node["table"] for node in audit["chain"] if node["kind"] in ("sample", "document")] == [
        "raw_documents", "math_problems", "hints", "hints", "longest_hints"
    ]  # fmt: skip
    verified = {found["name"] for node in audit["chain"][-1:] for found in node["verifications"]}
    assert {"row_computes_again", "id_recomputes", "parent_exists"} <= verified
    below = json.loads(command(servers, "audit", one["document_id"], "--descendants", "--json"))
    assert one["sample_id"] in json.dumps(below)


def test_a_changed_function_computes_its_asset_anew_and_nothing_else(servers: Servers) -> None:
    file = Path(str(servers.settings.tasks)) / "longest.py"
    file.write_text(FUNCTION.replace(".last()", ".first()"), encoding="utf-8")
    try:
        assert planned(servers) == {"hints": (0, 0), "longest_hints": (1, 0)}
    finally:
        file.write_text(FUNCTION, encoding="utf-8")
