"""Rows of training data that was made elsewhere: each usual layout, and what is set aside."""

import json
from pathlib import Path

import polars as pl
import pytest

from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets_tests.plan.work import Work

ALPACA = [
    {"instruction": "Name a river.", "input": "", "output": "The Elbe.", "license": "CC-BY-4.0"},
    {"instruction": "Shorten this.", "input": "It is very, very cold.", "output": "It is icy."},
    {"question": "一年有几个季节？", "answer": "四个季节。"},
    {"prompt": "Кто пишет письма?", "completion": "Их пишет тот, кто скучает.", "kind": "talk"},
    {"prompt": "Well?", "response": "  "},
    {"instruction": "name a  river.", "output": "the Elbe."},
]
CHATS = [
    {"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Good morning to you."}]},
    {"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "It is me, your neighbour."}]},
    {"messages": [{"role": role, "content": f"Go on, {role}."} for role in ("user", "assistant", "user", "assistant")]},
    {"topic": "none of these"},
    {"messages": [{"role": "user", "content": "Is anybody there?"}]},
    {"messages": [{"role": "tool", "content": "4"}, {"role": "assistant", "content": "Four."}]},
]
PAIRS = [{"instruction": f"Question {at}?", "output": [f"I like {at}.", f"Not {at}."]} for at in range(2)]
LISTS = [{"prompt": "Which two?", "output": ["salt", "pepper"]}, {"prompt": "Which one?", "output": "Salt."}]
TEXTS = [{"text": "A barge goes up the canal on Mondays.", "language": "en"}]
FILES = {"alpaca": ALPACA, "chats": CHATS, "pairs": PAIRS, "lists": LISTS, "texts": TEXTS}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A lake whose `external_rows` come from files of several layouts, with rows that are nothing."""
    folder = tmp_path_factory.mktemp("external")
    (folder / "tasks" / "external").mkdir(parents=True)
    for name, told in FILES.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in told)
        (folder / "tasks" / "external" / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    settings = Settings(lake=str(folder / "lake"), tasks=str(folder / "tasks"), datasets=("external_rows",))
    made = Work(folder, settings)
    made.run()
    return made


def rows(work: Work) -> pl.DataFrame:
    return work.lake.scan(datasets(work.settings)["external_rows"].table).collect()


def test_the_usual_layouts_become_prompt_and_response(work: Work) -> None:
    found = rows(work).filter(pl.col("source").is_in(["alpaca", "chats"]), pl.col("messages").is_null())
    assert set(found.select("prompt", "response", "language").rows()) == {
        ("Name a river.", "The Elbe.", "en"),
        ("Shorten this.\n\nIt is very, very cold.", "It is icy.", "en"),
        ("一年有几个季节？", "四个季节。", "zh"),
        ("Кто пишет письма?", "Их пишет тот, кто скучает.", "ru"),
        ("Hello?", "Good morning to you.", "en"),
        ("Who?", "It is me, your neighbour.", "en"),
    }


def test_a_chat_of_several_turns_is_kept_whole(work: Work) -> None:
    [found] = rows(work).filter(pl.col("messages").is_not_null()).select("prompt", "messages", "language").rows()
    asked, said = ({"role": role, "content": f"Go on, {role}."} for role in ("user", "assistant"))
    assert found == (None, [asked, said, asked, said], "en")


def test_what_a_row_says_of_itself_is_kept(work: Work) -> None:
    found = rows(work).filter(source="alpaca").select("prompt", "kind", "license")
    assert {("Name a river.", None, "CC-BY-4.0"), ("Кто пишет письма?", "talk", None)} <= set(found.rows())


def test_two_texts_as_each_output_of_a_file_are_a_preference(work: Work) -> None:
    found = rows(work).filter(source="pairs").select("prompt", "response", "rejected")
    assert set(found.rows()) == {(f"Question {at}?", f"I like {at}.", f"Not {at}.") for at in range(2)}


def test_an_output_that_is_a_list_in_some_rows_alone_is_an_answer(work: Work) -> None:
    found = rows(work).filter(source="lists").select("prompt", "rejected", answer=pl.col("response").str.slice(0, 6))
    assert set(found.rows()) == {("Which two?", None, '["salt'), ("Which one?", None, "Salt.")}


def test_a_text_stands_by_itself(work: Work) -> None:
    found = rows(work).filter(source="texts").select("prompt", "response", "text", "language")
    assert found.rows() == [(None, None, "A barge goes up the canal on Mondays.", "en")]


def test_what_cannot_be_used_is_set_aside_with_file_row_and_reason(work: Work) -> None:
    table = datasets(work.settings)["external_rows"].table
    found = [row for key in FILES for row in work.lake.rejects(table, key).select("reason", "detail").collect().rows()]
    assert {(reason, detail.split(":")[0]) for reason, detail in found} == {
        ("empty", "external/alpaca.jsonl, row 5"),
        ("repeated", "external/alpaca.jsonl, row 6"),
        *(("wrong_form", f"external/chats.jsonl, row {at}") for at in (4, 5, 6)),
    }


def test_every_row_leads_to_its_file(work: Work) -> None:
    for name in rows(work)["sample_id"]:
        found = audit(work.lake, work.settings, name)
        assert [one for one in found.verifications if one.status is not Status.OK] == []
        assert "external_files" in {node.table for node in found.nodes()}


def test_the_bundled_sample_is_of_three_languages_and_nothing_is_set_aside(tmp_path: Path) -> None:
    bundled = Work(tmp_path, Settings(lake=str(tmp_path / "lake"), datasets=("external_rows",)))
    bundled.run()
    found = rows(bundled)
    assert set(found["language"]) == {"en", "zh", "ru"}
    assert found.height == 28
    for name in ("external_files", "external_rows"):
        assert bundled.lake.rejects(datasets(bundled.settings)[name].table, "everyday").collect().is_empty()
