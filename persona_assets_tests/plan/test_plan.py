import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pytest

from persona_assets.engines.base import Completion, Failure, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake.schemas import EXPANDED_PERSONAS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.plan.figures import Basis
from persona_assets.settings import Settings
from persona_assets.steps.budget import BudgetReached
from persona_assets_tests.plan.work import Work, asset, below_functions, new_calls

TASKS = {"math_problems", "logic_problems", "instructions", "knowledge_texts", "game_npcs", "tool_definitions"}


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder below with its size and time of change."""
    found = [Path(root) / name for root, folders, files in os.walk(folder) for name in [*folders, *files]]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def test_a_finished_lake_needs_nothing(finished: Work) -> None:
    plan = finished.plan()
    assert [found.asset for found in plan.assets if found.todo] == []
    assert plan.total("calls").value == 0
    assert {found.done for found in plan.assets} == {1, 2, 3}  # one dump, two shards, three worlds


def test_all_of_a_finished_lake_is_answered_by_stored_calls(finished: Work) -> None:
    again = finished.run()
    plan = finished.plan(everything=True)
    plan.assets = [found for found in plan.assets if found.asset not in below_functions()]  # whose rows are new ones
    assert plan.total("calls").value == 0
    assert {name: asset(plan, name).sum("reused") for name in again if name in new_calls(plan)} == {
        name: report.calls_reused for name, report in again.items() if name in new_calls(plan)
    }
    assert {name: asset(plan, name).total("rows").value for name in TASKS} == {name: again[name].kept for name in TASKS}
    assert plan.sum("disk") == 0
    assert {found.basis for found in plan.assets} == {Basis.EXACT}


def test_documents_give_the_exact_calls_of_extraction_and_projected_ones_after_it(work: Work) -> None:
    work.run(until="raw_documents")
    plan = work.plan()
    made = work.run()
    planned = new_calls(plan)
    assert planned["extracted_personas"] == made["extracted_personas"].calls_made == 4
    assert asset(plan, "extracted_personas").total("new").basis is Basis.EXACT
    assert asset(plan, "math_problems").basis is Basis.ASSUMED
    for name in TASKS | {"expanded_personas"}:
        assert planned[name] == pytest.approx(made[name].calls_made, rel=0.25)
        assert asset(plan, name).total("rows").value == pytest.approx(made[name].kept, rel=0.25)


@pytest.mark.parametrize(
    ("until", "known"),
    [("extracted_personas", {"expanded_personas"}), ("deduped_personas", TASKS), ("filtered_personas", set())],
)
def test_questions_about_rows_that_stand_are_planned_exactly(work: Work, until: str, known: set[str]) -> None:
    work.run(until=until)
    plan = work.plan()
    made = work.run()
    for name in known:
        assert asset(plan, name).basis is Basis.EXACT or asset(plan, name).total("new").basis is Basis.EXACT
        assert new_calls(plan)[name] == made[name].calls_made > 0
    done = {found.asset for found in plan.assets if not found.todo}
    assert until in done


def test_two_hops_are_planned_from_stored_answers_as_far_as_they_go(work: Work) -> None:
    two = work.having(hops=2, fanout=(2, 1))
    two.run(until="expanded_personas")
    one_lost = two.lake.read(EXPANDED_PERSONAS, "d.0000")  # crashed before it was written: its calls are there
    two.lake.fs.rm(two.lake.path(EXPANDED_PERSONAS, "d.0000"))
    expanded = asset(two.plan(), "expanded_personas")
    [partition] = expanded.todo
    assert partition.new.value == 0
    assert (partition.rows.value, partition.basis) == (one_lost.height, Basis.EXACT)


def test_one_new_document_costs_one_call_of_extraction(finished: Work) -> None:
    frame = finished.lake.read(RAW_DOCUMENTS, "d.0000")
    news = frame.head(1).with_columns(document_id=pl.lit("doc_new"), text=pl.lit("Rain fell on the harbour. " * 20))
    finished.lake.write(RAW_DOCUMENTS, "d.0000", pl.concat([frame, news]), "run")
    plan = finished.plan()
    extracted = asset(plan, "extracted_personas")
    assert extracted.total("new").value == 1
    assert extracted.sum("reused") == 2
    assert len(extracted.todo) == 1
    assert asset(plan, "expanded_personas").total("new").value == pytest.approx(2)  # two personas, one question each
    assert asset(plan, "expanded_personas").total("new").basis is Basis.FUNNEL


def test_nothing_is_written_and_nothing_registered(finished: Work) -> None:
    finished.drop("e", "c.jsonl", 4)
    before = snapshot(finished.folder)
    plan = finished.plan(everything=True)
    assert "e.0000" in {partition.partition for partition in asset(plan, "raw_documents").todo}
    assert snapshot(finished.folder) == before
    assert "e.0000" not in finished.lake.keys(SHARD_FILES)


def test_files_that_have_not_been_read_are_told_by_the_documents_per_byte_so_far(finished: Work) -> None:
    finished.drop("e", "c.jsonl", 4)
    plan = finished.plan(dumps=("e",))
    documents = asset(plan, "raw_documents").total("rows")
    assert documents.basis is Basis.FUNNEL
    assert documents.value == pytest.approx(1, rel=0.2)
    assert asset(plan, "extracted_personas").total("new").basis is Basis.FUNNEL
    made = finished.run()
    for name, report in made.items():
        if name in TASKS | {"extracted_personas", "expanded_personas"}:
            assert new_calls(plan)[name] == pytest.approx(report.calls_made, rel=0.3)


def test_a_kind_of_file_that_was_never_read_is_an_assumption(finished: Work) -> None:
    finished.drop("e", "c.jsonl", 4).rename(finished.folder / "dumps" / "e" / "c.ndjson")
    assert asset(finished.plan(dumps=("e",)), "raw_documents").total("rows").basis is Basis.ASSUMED


def test_without_any_document_it_says_what_would_tell(work: Work) -> None:
    plan = work.plan()
    assert plan.unknown == ["d.0000", "d.0001"]
    assert "persona-assets inspect" in " ".join(plan.notes)
    assert plan.total("questions").value == 0


def test_no_crawl_file_at_all_is_an_error(tmp_path: Path, work: Work) -> None:
    with pytest.raises(PersonaAssetsError, match="no crawl files under"):
        work.having(dumps=str(tmp_path / "none")).plan()


@pytest.mark.parametrize("scope", [{"dumps": ("x",)}, {"shards": ("x.0000",)}, {"assets": ("haiku",)}])
def test_what_nobody_knows_is_wrong_use(work: Work, scope: dict[str, tuple[str]]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(scope.values()))[0]} is unknown"):
        work.plan(**scope)


def test_a_scope_leaves_out_the_rest_and_says_what_comes_first(work: Work) -> None:
    work.run(until="raw_documents")
    plan = work.plan(shards=("d.0001",), assets=("math_problems",))
    [only] = plan.assets
    assert [partition.partition for partition in only.todo] == ["d.0001"]
    assert any("to be made first" in note and "extracted_personas" in note for note in plan.notes)


def test_the_same_prompt_in_two_partitions_is_paid_once(work: Work) -> None:
    work.having(dumps=str(work.folder / "dumps")).drop("e", "copy.jsonl", 0, 1)
    work.run(until="raw_documents")
    plan = work.plan()
    made = work.run(until="extracted_personas")
    extracted = asset(plan, "extracted_personas")
    assert extracted.total("questions").value == 6
    assert (extracted.total("new").value, extracted.sum("reused")) == (4, 2)
    assert made["extracted_personas"].calls_made == 4


def test_after_a_run_that_was_stopped_only_the_rest_is_planned(work: Work) -> None:
    with pytest.raises(BudgetReached):
        work.having(max_calls_per_run=1).run()  # of the first shard's two
    extracted = asset(work.plan(), "extracted_personas")
    assert (extracted.total("new").value, extracted.sum("reused")) == (3, 1)
    assert work.run(until="extracted_personas")["extracted_personas"].calls_made == 3


def test_other_settings_of_extraction_scale_what_it_gave_so_far(finished: Work) -> None:
    personas = {
        count: asset(finished.having(personas_per_relation=count).plan(everything=True), "extracted_personas")
        for count in (1, 3)
    }
    assert personas[3].total("rows").value == pytest.approx(3 * personas[1].total("rows").value)
    assert personas[3].basis is Basis.FUNNEL


class Garbles(OfflineEngine):
    """Answers questions with words and fails to mend them."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            if len(request.messages) > 2:
                yield [Failure(request.call_id, "timeout", "")]
            else:
                yield [Completion(request.call_id, "Gladly!", "stop", 100, 7, 0.1)]


def test_stored_answers_that_wait_for_their_repair_cost_a_call_each(work: Work) -> None:
    work.run(until="extracted_personas", engine=Garbles(work.settings))
    extracted = asset(work.plan(), "extracted_personas")
    assert (extracted.total("new").value, extracted.sum("reused")) == (0, 4)
    assert extracted.total("repairs").value == 4
    assert extracted.sum("tokens_in") > 4 * 100  # a repair's prompt is longer than the question


# Targets


@pytest.mark.parametrize("target", [1, 3, 7, 1000])
def test_a_target_takes_as_many_questions_as_its_run(work: Work, target: int) -> None:
    work.run(until="deduped_personas")
    aimed = work.having(targets={"math_problems": target}, datasets=("math_problems",))
    planned = asset(aimed.plan(), "math_problems")
    made = aimed.run()["math_problems"]
    assert planned.total("new").value == made.calls_made
    assert planned.total("rows").value == made.kept == min(target, made.kept)


def test_a_raised_target_asks_for_what_is_missing(work: Work) -> None:
    alone = work.having(datasets=("math_problems",))
    alone.having(targets={"math_problems": 3}).run()
    raised = alone.having(targets={"math_problems": 5})
    planned = asset(raised.plan(), "math_problems")
    made = raised.run()["math_problems"]
    assert planned.total("new").value == made.calls_made == 2


def test_a_target_holds_for_personas_that_are_not_there_yet(work: Work) -> None:
    work.run(until="raw_documents")
    planned = asset(work.having(targets={"math_problems": 3}).plan(), "math_problems")
    assert planned.total("new").value == pytest.approx(3)
    assert planned.total("rows").value == pytest.approx(3)


# Shape


def test_json_has_all_figures_and_their_basis(work: Work) -> None:
    work.run(until="raw_documents")
    value = json.loads(
        json.dumps(work.having(price_in=1.0, price_out=2.0).plan(gpus=2, tokens_per_second=100).as_dict())
    )
    assert set(value) == {"shards", "assets", "total", "caps", "kept_though_stale", "unknown", "notes"}
    extracted = next(found for found in value["assets"] if found["asset"] == "extracted_personas")
    assert extracted["new_calls"] == 4
    assert extracted["basis"] == "assumed"
    assert [part["partition"] for part in extracted["by_partition"]] == ["d.0000", "d.0001"]
    assert sum(part["cost"] for part in extracted["by_partition"]) == pytest.approx(extracted["cost"], rel=1e-2)
    assert value["total"]["cost"] == pytest.approx(sum(found["cost"] for found in value["assets"]), rel=1e-2)
    assert value["total"]["gpu_hours"] == pytest.approx(2 * value["total"]["tokens_out"] / 100 / 3600, rel=1e-3)


def test_a_dataset_of_data_files_alone_is_planned_without_a_crawl(tmp_path: Path) -> None:
    places = {"lake": str(tmp_path / "lake"), "dumps": str(tmp_path / "none")}
    work = Work(tmp_path, Settings(**places, datasets=("preference_poles",)))
    plan = work.plan()
    assert asset(plan, "seed_files").total("rows").value == 200
    assert new_calls(plan)["pole_answers"] == 1600
    with pytest.raises(PersonaAssetsError, match="no crawl files under"):
        work.having(datasets=("math_problems", "all")).plan()
