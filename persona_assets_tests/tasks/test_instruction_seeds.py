"""Seed files: what becomes an instruction, and what is set aside with its file and row."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.settings import Settings
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import FILES, datasets

DATA = Path(__file__).parents[3] / "shared" / "data" / "machine_mindset"
COLUMNS = ("instruction", "input", "messages", "conversations", "kind")


def seeds(*rows: Any) -> list[dict[str, Any]]:
    """What the function gives for these rows of a file, in their order."""
    step = datasets(Settings())["instruction_seeds"]
    assert isinstance(step, DerivedStep)
    texts = [{name: _text(row.get(name)) for name in COLUMNS} for row in rows]
    frame = pl.DataFrame(texts, schema=dict.fromkeys(COLUMNS, pl.String), orient="row").with_columns(
        row_id=pl.format("row_{}", pl.int_range(pl.len())), file=pl.lit("seeds/a.json"), place=pl.int_range(pl.len())
    )
    given: pl.DataFrame = step.declared.function(frame.lazy())
    assert given["parent_ids"].to_list() == [[f"row_{number}"] for number in range(len(rows))]
    return given.to_dicts()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def asked(*texts: str) -> list[dict[str, Any]]:
    return seeds(*({"instruction": text} for text in texts))


def test_both_bundled_files_are_whole_varied_and_in_their_language() -> None:
    for path in sorted((FILES / "seeds").glob("*.yaml")):
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
        given = seeds(*rows)
        assert [one["reason"] for one in given] == [None] * len(rows)
        assert {one["language"] for one in given} == {path.stem.rpartition("_")[2]}
        assert len(rows) >= 100
        assert len({one["kind"] for one in given}) >= 10


def test_an_input_is_part_of_the_instruction_and_a_blank_one_is_none() -> None:
    [one, other] = seeds(
        {"instruction": "Shorten this:", "input": "The cat, which was old, slept."},
        {"instruction": "Plan a picnic by the lake.", "input": " "},
    )
    assert one["instruction"] == "Shorten this:\n\nThe cat, which was old, slept."
    assert other["instruction"] == "Plan a picnic by the lake."
    assert (one["reason"], other["reason"]) == (None, None)


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Plan a picnic."}]},
        {"conversations": [{"from": "human", "value": "Plan a picnic."}, {"from": "gpt", "value": "Bread."}]},
    ],
)
def test_of_a_chat_the_first_question_is_asked(row: dict[str, Any]) -> None:
    [one] = seeds(row)
    assert (one["instruction"], one["reason"], one["language"]) == ("Plan a picnic.", None, "en")


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "advice"},
        {"messages": "not a chat"},
        {"messages": [{"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": ["a", "part"]}]},
        {"messages": ["x", 3]},
    ],
)
def test_a_row_of_another_form_is_set_aside_with_file_and_row(row: dict[str, Any]) -> None:
    [_, found] = seeds({"instruction": "Plan a picnic."}, row)
    assert found["reason"] == "wrong_form"
    assert found["detail"].startswith("seeds/a.json, row 2: ")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "empty"),
        (" \n", "empty"),
        ("Are you an AI?", "about_the_model"),
        ("你是谁？", "about_the_model"),
        ("Кто тебя создал?", "about_the_model"),
        ("Correct the following sentence.", "needs_input"),
        ("Translate into French:", "needs_input"),
        ("概括以下文章。", "needs_input"),
        ("把这句话改成过去时：", "needs_input"),
        ("Перескажите текст ниже", "needs_input"),
    ],
)
def test_what_cannot_serve_is_set_aside(text: str, reason: str) -> None:
    assert [one["reason"] for one in asked("Plan a picnic.", text)] == [None, reason]


def test_what_stands_there_before_is_repeated_whatever_its_case_and_spaces() -> None:
    found = asked("Plan a picnic.", "Bake bread at home.", "plan  a PICNIC.")
    assert [one["reason"] for one in found] == [None, None, "repeated"]
    assert "row 3: it says what row 1 says" in found[2]["detail"]
    assert found[0]["digest"] == found[2]["digest"] != found[1]["digest"]


def test_a_near_copy_names_the_one_that_stays() -> None:
    found = asked(
        "How do I say no to a favour without hurting the person who asks?",
        "How do I say no to a favour without hurting the person who begs?",
        "朋友总是找我借钱，我该怎么拒绝才不伤感情？",
        "朋友总是找我借钱，我该如何拒绝才不伤感情？",
    )
    assert [one["reason"] for one in found] == [None, "near_duplicate", None, "near_duplicate"]
    assert "row 1, row_0" in found[1]["detail"]
    assert "row 3, row_2" in found[3]["detail"]


def test_a_near_copy_of_what_is_set_aside_stays() -> None:
    found = asked("Correct the following sentence with care.", "Correct the following remark with care.")
    assert [one["reason"] for one in found] == ["needs_input", None]


@pytest.mark.skipif(not DATA.is_dir(), reason="the released data is not here")
@pytest.mark.parametrize("name, exact", [("behaviour_en/en_energy_extraversion", 212), ("zh_energy_extraversion", 10)])
def test_every_repeat_of_the_released_instructions_is_found(name: str, exact: int) -> None:
    rows = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    texts = [row["instruction"] for row in rows]
    found = [one["reason"] for one in seeds(*rows)]
    assert len(texts) - len(set(texts)) == exact
    assert exact <= found.count("repeated") <= exact + 2  # two more differ in case
