import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.contrast.files import Places, read_pairs
from persona_assets.errors import PersonaAssetsError, UsageError

ASKED = ["How do you spend a free evening?", "你怎么度过周末？", "Как ты отдыхаешь?"]
LOUD = ["I call my friends and we go out dancing.", "我约朋友们一起去唱歌。", "Зову друзей, и мы поём."]
QUIET = ["I read at the window.", "我在家看书。", "Сижу с книгой."]


def rows(answers: list[str]) -> list[dict[str, Any]]:
    return [{"instruction": one, "input": " ", "output": two} for one, two in zip(ASKED, answers, strict=True)]


def written(path: Path, found: list[Any]) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame(found).write_parquet(path)
    elif path.suffix == ".csv":
        pl.DataFrame(found).write_csv(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), encoding="utf-8")
    else:
        path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return path


def read(places: Places, language: str | None = None) -> pl.DataFrame:
    return pl.concat(read_pairs(places, language))


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet", "csv"])
def test_two_aligned_files_are_pairs(tmp_path: Path, kind: str) -> None:
    places = Places(written(tmp_path / f"loud.{kind}", rows(LOUD)), written(tmp_path / "quiet.json", rows(QUIET)))
    found = read(places)
    assert found.to_dict(as_series=False) == {
        "row": [1, 2, 3],
        "language": ["en", "zh", "ru"],
        "instruction": ASKED,
        "one": LOUD,
        "other": QUIET,
    }


def test_an_input_is_part_of_what_is_asked(tmp_path: Path) -> None:
    answers = [{"instruction": "Rewrite it.", "input": "The wind blew.", "output": "It howled.", "language": "en"}]
    path = written(tmp_path / "a.json", answers)
    assert read(Places(path, path))["instruction"].to_list() == ["Rewrite it.\nThe wind blew."]


def test_files_of_several_batches_stay_aligned(tmp_path: Path) -> None:
    answers = [{"instruction": f"task {place}", "output": f"{place}", "language": "en"} for place in range(2500)]
    path = written(tmp_path / "a.jsonl", answers)
    found = read(Places(path, written(tmp_path / "b.parquet", answers)))
    assert found["row"].to_list() == list(range(1, 2501))
    assert found["one"].equals(found["other"])


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": ASKED[0], "input": " ", "output": [LOUD[0], QUIET[0]]},
        {"prompt": ASKED[0], "chosen": LOUD[0], "rejected": QUIET[0]},
    ],
    ids=["output", "chosen and rejected"],
)
def test_preferences_are_pairs(tmp_path: Path, row: dict[str, Any]) -> None:
    places = Places(written(tmp_path / "dpo.json", [row]))
    assert read(places).row(0)[1:] == ("en", ASKED[0], LOUD[0], QUIET[0])
    assert places.sides == ("chosen", "rejected")


def test_a_language_is_that_of_rows_that_do_not_say_theirs(tmp_path: Path) -> None:
    answers = rows(LOUD)
    answers[0]["lang"] = "de"
    path = written(tmp_path / "a.json", answers)
    assert read(Places(path, path), "ru")["language"].to_list() == ["de", "ru", "ru"]


def test_an_answer_that_is_missing_is_read_as_empty(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [{"instruction": "Say hello.", "output": None}])
    assert read(Places(path, path))["one"].to_list() == [""]


def changed(place: int, **values: Any) -> list[Any]:
    found = rows(QUIET)
    found[place] = {**found[place], **values}
    return found


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (changed(1, instruction="Where"), "b.json: row 2 asks 'Where' where .*a.json asks '你怎么度过.*one order"),
        (rows(QUIET)[:2], "b.json ends before row 3 of .*a.json"),
        ([*rows(QUIET), rows(QUIET)[0]], "a.json ends before row 4 of .*b.json"),
        (changed(2, output=["a", "b"]), "b.json: row 3: 'output' is a list, not a text: .*--dpo"),
        (changed(0, instruction="  "), "b.json: row 1: 'instruction' is empty"),
        (changed(0, instruction=5), "b.json: row 1: 'instruction' is a int, not a text"),
        ([{"question": "Why?"}], "b.json: row 1 has no 'instruction' .*'question'.*rename"),
        ([{"instruction": ASKED[0], "text": "x"}], "b.json: row 1 has no 'output' .*'instruction', 'text'"),
        ([rows(QUIET)[0], "x"], "b.json: row 2: .*not an object.*correct the row"),
    ],
)
def test_wrong_files_are_told_with_file_row_and_remedy(tmp_path: Path, other: list[Any], said: str) -> None:
    places = Places(written(tmp_path / "a.json", rows(LOUD)), written(tmp_path / "b.json", other))
    with pytest.raises(PersonaAssetsError, match=said):
        read(places)


@pytest.mark.parametrize("row", [{"output": ["one"]}, {"output": "text"}, {"chosen": "x"}, {"output": ["a", None]}])
def test_preferences_without_two_texts_are_told(tmp_path: Path, row: dict[str, Any]) -> None:
    path = written(tmp_path / "dpo.json", [{"instruction": "Say hello."} | row])
    with pytest.raises(UsageError, match=r"dpo.json: row 1 has neither 'output' with two texts"):
        read(Places(path))
