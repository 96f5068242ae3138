"""The card of an exported folder."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from persona_assets.errors import UsageError
from persona_assets.export.card import Written, card
from persona_assets.export.folder import export
from persona_assets.export.origin import Asked, Origin, origin
from persona_assets.export.rows import Export, Rows
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.records import record_path
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets.quality.report import Group, Novelty, Quality, Report
from persona_assets.view.json import to_json
from persona_assets_tests.export.stored import store
from persona_assets_tests.export.test_round_trip import lake_in
from persona_assets_tests.lineage.small_lake import SHARD, Small, build
from persona_assets_tests.tasks.test_views import made, view

TASK = "own_problems"
HOSTILE = "a\n---\nlicense: mit\n# no\n<script>alert(1)</script> | ![x](http://evil.example) `b` [c](d) ${e}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return build(tmp_path_factory.mktemp("card"))


def told(folder: Path) -> tuple[dict[str, Any], str]:
    """Header and body of a card."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.fixture(scope="module")
def folder(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cards") / "out"
    export(small.lake, assets(small.settings), Export(TASK, out, licence="cc-by-4.0"))
    return out


def test_the_header_says_licence_language_size_task_kind_and_splits(folder: Path) -> None:
    head, _ = told(folder)
    assert head == {
        "license": "cc-by-4.0",
        "language": ["en"],
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "personas"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}],
    }


def test_rows_are_counted_by_split_language_and_mode(small: Small, folder: Path) -> None:
    rows = small.lake.read(assets(small.settings)[TASK].table, SHARD).height
    assert f"| `train` | `en` | `zero_shot` | {rows} |" in told(folder)[1]
    assert f"| `d` | `offline` | {rows} |" in told(folder)[1]


def test_prompts_and_models_are_named_with_version_digest_and_revision(small: Small, folder: Path) -> None:
    asset = assets(small.settings)[TASK]
    identity, record = asset.identity(small.settings), small.lake.require(asset.table, SHARD)
    assert identity and asset.step
    template = asset.step.template
    line = (
        f"| `{TASK}` | `{TASK}` | `{template.version}` | `{template.digest}` |  | `offline` | `{identity.revision}` |"
    )
    assert f"{line} {record.rows.rows} |" in told(folder)[1]


def test_sources_are_named_with_their_pages_and_an_unknown_licence(small: Small, folder: Path) -> None:
    pages = small.lake.require(RAW_DOCUMENTS, SHARD).rows.rows
    assert f"| `d` | {pages} | unknown |" in told(folder)[1]


def test_a_licence_of_pages_that_somebody_knows_is_said(small: Small, tmp_path: Path) -> None:
    job = Export(TASK, tmp_path / "out", sources={"d": "cc0 | <b>"})
    export(small.lake, assets(small.settings), job)
    pages = small.lake.require(RAW_DOCUMENTS, SHARD).rows.rows
    assert f"| `d` | {pages} | `cc0 ¦ <b>` |" in told(tmp_path / "out")[1]


def test_a_licence_of_pages_that_are_not_there_is_an_error(small: Small, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--source-license: no crawl release dd; did you mean d\?"):
        export(small.lake, assets(small.settings), Export(TASK, tmp_path / "out", sources={"dd": "cc0"}))


def test_what_was_set_aside_on_the_way_is_counted_by_reason(small: Small, folder: Path) -> None:
    record = small.lake.require(assets(small.settings)[TASK].table, SHARD)
    assert record.reasons
    for reason, count in record.reasons.items():
        assert f"| `{TASK}` | {record.rows.rows} | `{reason}` | {count} |" in told(folder)[1]
    assert "`raw_documents`" in told(folder)[1]


def test_it_says_that_text_of_the_offline_engine_is_not_for_training(folder: Path) -> None:
    assert "The engine offline wrote rows: they are for trying the pipeline" in told(folder)[1]


def test_a_view_says_how_many_rows_it_selects(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings, "two", size=2)
    made(small.lake, settings, "two")
    export(small.lake, assets(settings), Export("two", tmp_path / "out"))
    rows = small.lake.read(assets(settings)[TASK].table, SHARD).height
    assert f"Rows that the view selects: 2 of {rows}." in told(tmp_path / "out")[1]


def report(folder: Path, dataset: str, mode: str = "zero_shot") -> Path:
    """A file of what `persona-assets quality --json` tells."""
    found = Quality(dataset, [Group(mode, "en", rows=40, duplicates=10, sampled=40, distinct_2=0.5)])
    (folder / "quality.json").write_text(to_json(Report([found], [Novelty(1, 3, 2)]).as_dict()), encoding="utf-8")
    return folder / "quality.json"


def test_near_duplicates_are_told_where_they_were_measured(small: Small, folder: Path, tmp_path: Path) -> None:
    job = Export(TASK, tmp_path / "out", quality=report(tmp_path, TASK))
    export(small.lake, assets(small.settings), job)
    body = told(tmp_path / "out")[1]
    assert "rows were measured: 10 of 40 (25.00%)" in body
    assert f"| `{TASK}` | zero_shot | en | 40 | 25.00% | 40 | 0.50 |" in body
    assert "rows were not measured" in told(folder)[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file"),
        ("{", "Invalid JSON"),
        ('{"datasets": [{}], "novelty": []}', r"datasets\.0\.dataset: Field required"),
        ('{"datasets": [], "novelty": []}', f"nothing on {TASK}"),
    ],
)
def test_a_report_that_is_none_is_told(small: Small, tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "quality.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        export(small.lake, assets(small.settings), Export(TASK, tmp_path / "out", quality=file))
    assert not (tmp_path / "out").exists()


def card_of(folder: Path, name: str) -> tuple[dict[str, Any], str]:
    """A card in which everything that others name is called so: its header, and its body as a page."""
    lake, settings = lake_in(folder)
    file = report(folder, "instruction_answers", name)
    rows = Rows(lake, assets(settings), Export("instruction_answers", folder / "out", licence=name, quality=file))
    written = Written(Counter({("train", name, name, name, name): 3}), Counter({name: 1}))
    asked = Asked(**dict.fromkeys(("asset", "template", "version", "digest", "voice", "model", "revision"), name))
    one, files = Counter({name: 1}), Counter({(name, name): 1})
    found = Origin(one, files, Counter({asked: 1}), {name: 1}, {name: one}, {name: {name}})
    _, head, body = re.split(r"^---\n", card(rows, written, found), maxsplit=2, flags=re.MULTILINE)
    return yaml.safe_load(head), MarkdownIt("commonmark").enable("table").render(body)


def test_no_name_breaks_header_or_markup(tmp_path: Path) -> None:
    (head, page), (plain, tame) = card_of(tmp_path / "hostile", HOSTILE), card_of(tmp_path / "tame", "name")
    assert head == plain | {"license": HOSTILE, "language": [HOSTILE]}
    tags = re.compile(r"<[^>]*>")
    assert tags.findall(page) == tags.findall(tame)


def test_an_asset_whose_records_say_nothing_of_a_model_is_of_an_unknown_one(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    graph = assets(settings)
    asked = origin(lake, graph, graph["instruction_answers"].table).asked
    [one] = [one for one in asked if one.asset == "instructions"]
    assert (one.model, one.revision, one.digest) == ("unknown", "unknown", "unknown")


def test_the_version_of_a_prompt_is_that_of_the_rows_it_was_asked_for(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    table = assets(settings)["instruction_answers"].table
    store(lake, table, [{"template_version": 7}])
    asked = origin(lake, assets(settings), table).asked
    assert [one.version for one in asked if one.asset == table.name] == ["7"]


def test_benchmarks_that_rows_were_held_to_are_named(small: Small, tmp_path: Path) -> None:
    lake = Lake(str(copytree(small.lake.root, tmp_path / "lake")))
    graph, name = assets(small.settings), "own_problems"
    record = lake.require(graph[name].table, SHARD)
    held = replace(record, recipe=record.recipe | {"benchmarks": {"version": 1, "files": {"gsm.jsonl": "x"}}})
    lake.write_bytes(record_path(lake.root, name, SHARD, record.generation), held.as_json())
    export(lake, graph, Export(name, tmp_path / "out"))
    said = f"Of `{name}`, rows that share a long piece with an item of a benchmark were set aside: `gsm.jsonl`"
    assert said in told(tmp_path / "out")[1]
    assert "held to no benchmark" not in told(tmp_path / "out")[1]
