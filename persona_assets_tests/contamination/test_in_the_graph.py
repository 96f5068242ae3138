"""Rows of tasks are held to the benchmarks of a folder: in the lake, by recipes, audit, demonstrations and rules."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_assets.cli.app import run_cli
from persona_assets.engines.base import Request, Result
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lineage.audit import audit
from persona_assets.making import make
from persona_assets.recipes import changes
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.conftest import context
from persona_assets_tests.contamination.items import EN, RU, TEXTS, ZH
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.lineage.small_lake import SHARD, ScriptedEngine, Small, build, ids
from persona_assets_tests.tasks.own import Run, answer_of, listed, people, task, write

TASK = "own_problems"


class Silent(ScriptedEngine):
    """Answers nothing: whoever asks has failed the test."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            raise AssertionError(f"a call was made: {request.call_id}")
        yield from ()


def benchmark(folder: Path, *rows: dict[str, Any], name: str = "test.jsonl") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder)


def made(lake: Lake, settings: Settings) -> LakeState:
    """The task's partition, made under these settings without a call; how the lake stands then."""
    state = LakeState(lake, settings)
    asset = state.assets[TASK]
    list(make(Context(lake, settings, Silent(settings), "again"), state, asset, SHARD, again=False))
    return LakeState(lake, settings)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return build(tmp_path_factory.mktemp("held"))


def test_a_new_benchmark_file_checks_history_anew_without_a_call(small: Small, tmp_path: Path) -> None:
    lake, table = small.lake, LakeState(small.lake, small.settings).assets[TASK].table
    before = lake.read(table, SHARD)
    aside = lake.rejects(table, SHARD).collect()
    assert before.height
    assert str(LakeState(lake, small.settings).of(TASK, SHARD).state) == "done"

    known = str(before["problem"][0])
    folder = benchmark(
        tmp_path / "held", {"id": "q-1", "question": "Which of these?"}, {"id": "q-2", "question": known}
    )
    held = small.settings.model_copy(update={"benchmarks": folder, "max_reject_rate": 1.0})
    standing = LakeState(lake, held).of(TASK, SHARD)
    assert (str(standing.state), standing.why) == ("stale", "benchmark test.jsonl: new")

    assert str(made(lake, held).of(TASK, SHARD).state) == "done"
    after = lake.read(table, SHARD)
    gone = before.filter(~before["sample_id"].is_in(after["sample_id"].implode()))
    assert known in gone["problem"].to_list()
    rejects = lake.rejects(table, SHARD).collect()
    (detail, *_) = rejects.filter(reason="contaminated")["detail"].to_list()
    assert detail.startswith("test.jsonl item 2 (q-2): ")
    assert "words of its question: " in detail
    assert rejects.filter(rejects["reason"] != "contaminated")["row_id"].to_list() == aside["row_id"].to_list()
    assert after.height + rejects.height == before.height + aside.height
    for row_id in [*ids(lake, table), *rejects["row_id"]]:
        assert {one.status for one in audit(lake, held, row_id).verifications} <= {"ok"}, row_id

    benchmark(tmp_path / "held", {"problem": ZH})
    other = made(lake, held.model_copy())  # whose settings are the same, and whose benchmark is another
    assert str(other.of(TASK, SHARD).state) == "done"
    assert not lake.rejects(table, SHARD).filter(reason="contaminated").collect().height

    made(lake, small.settings)
    assert lake.read(table, SHARD).drop(table.volatile).equals(before.drop(table.volatile))


def test_recipes_have_benchmarks_only_where_they_are_set(tmp_path: Path) -> None:
    def recipes(settings: Settings) -> dict[str, Any]:
        return {name: one.recipe(settings, one.identity(settings)) for name, one in assets(settings).items()}

    plain = recipes(Settings())
    held = recipes(Settings(benchmarks=benchmark(tmp_path / "one", {"question": EN})))
    other = recipes(Settings(benchmarks=benchmark(tmp_path / "other", {"question": RU})))
    # Tasks whose rows hold no text, or what models are measured by.
    numbers = {"logic_verdicts", "questionnaire_answers", "questionnaire_choices"}
    numbers |= {"evaluation_answers", "evaluation_scores"}
    tasks = {name for name, one in assets(Settings()).items() if one.is_task} - numbers
    files = {"benchmark_files"}  # whose columns are those of the files
    assert {name for name in held if held[name] != plain[name]} - files == tasks
    assert {name for name in held if held[name] != other[name]} - files == tasks
    assert not any("benchmarks" in recipe for recipe in plain.values())
    one, two = ({"benchmarks": found["math_problems"]["benchmarks"]} for found in (held, other))
    assert changes(one, two) == ["benchmark test.jsonl: its file changed"]
    assert changes(one, {}) == ["benchmark test.jsonl: removed"]
    assert changes({}, one) == ["benchmark test.jsonl: new"]
    assert changes({"benchmarks": "a digest"}, one) == ["benchmarks"]


def test_a_missing_folder_and_one_without_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"PERSONA_BENCHMARKS: .*none: no such folder"):
        datasets(Settings(benchmarks=str(tmp_path / "none")))
    with pytest.raises(UsageError, match=r"PERSONA_BENCHMARKS: .*no benchmark file in it"):
        datasets(Settings(benchmarks=str(tmp_path)))


def test_a_benchmark_without_a_question_is_told_before_the_first_call(lake: Lake, tmp_path: Path) -> None:
    people(lake, "a")
    folder = benchmark(tmp_path / "held", {"stem": EN})
    step = datasets(Settings(benchmarks=folder))["math_problems"]
    engine = Scripted(lambda _: "{}")
    assert isinstance(step, TaskStep)
    with pytest.raises(UsageError, match=r"test\.jsonl: there is no question in any row"):
        run_task(context(lake, engine), step, SHARD)
    assert not engine.asked


@pytest.mark.parametrize("language", TEXTS)
def test_each_language_and_each_item_of_a_list_is_held(lake: Lake, tmp_path: Path, language: str) -> None:
    people(lake, "a")
    listing = task("riddles", "{{ persona }}", answer_of(riddles=listed(riddle="string")), many="riddles")
    settings = write(tmp_path / "tasks", listing)
    folder = benchmark(tmp_path / "held", *({"question": text} for text in TEXTS.values()))
    step = datasets(settings.model_copy(update={"benchmarks": folder}))["riddles"]
    assert isinstance(step, TaskStep)
    answer = {"riddles": [{"riddle": "What is it?"}, {"riddle": f"1) {TEXTS[language]}"}]}
    run = Run(lake, step, lambda _: json.dumps(answer))
    assert [row["riddle"] for row in run.rows] == ["What is it?"]
    (reject,) = run.rejects
    assert reject["reason"] == "contaminated"
    assert reject["detail"].startswith(f"test.jsonl item {[*TEXTS].index(language) + 1}: ")
    assert len(run.engine.asked) == 1  # nothing is asked again


@pytest.mark.parametrize("language", TEXTS)
def test_demonstrations_that_overlap_are_told_with_file_and_line(language: str, tmp_path: Path) -> None:
    rows = yaml.safe_load((FILES / "demonstrations" / "math_problems.yaml").read_text(encoding="utf-8"))
    mine = next(row for row in rows if row["language"] == language)
    folder = benchmark(tmp_path / "held", {"problem": mine["answer"]["problem"]})
    settings = Settings(benchmarks=folder, modes={"math_problems": ("few_shot",)})
    with pytest.raises(
        UsageError, match=r"math_problems\.yaml:\d+: row \d+: it overlaps a benchmark: test\.jsonl item 1"
    ):
        datasets(settings)
    datasets(Settings(benchmarks=folder))  # where none is shown, none is looked at


def test_rules_on_a_file_see_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONA_BENCHMARKS", benchmark(tmp_path / "held", {"problem": EN}))
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"problem": EN}) + "\n" + json.dumps({"problem": f"{EN[:60]} in two days?"}) + "\n")
    monkeypatch.setattr("sys.argv", ["persona-assets", "rules", str(file), "--task", "math_problems", "--json"])
    assert run_cli() == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {"contaminated": 1}
