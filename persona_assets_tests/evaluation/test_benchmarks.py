"""Problems with their right answers, from the layouts that benchmark files come in."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.errors import UsageError
from persona_assets.evaluation.benchmarks import file_items, read_problems
from persona_assets.evaluation.grades import grades

DATA = Path(__file__).parents[3] / "shared" / "data"


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def golds(path: Path, **named: Any) -> list[str]:
    return [one.gold for one in read_problems(path, path.name, **named)]


LAYOUTS = {
    "gsm8k": ({"question": "Eggs?", "answer": "He has 9 * 2 = <<9*2=18>>18.\n#### 1,018"}, "1,018"),
    "math": ({"problem": "Why?", "solution": r"As 1 is 7, $\boxed{\frac{1}{2}}$ it is."}, r"\frac{1}{2}"),
    "math with an answer": ({"problem": "Why?", "solution": r"\boxed{3}", "answer": "(3, 4)"}, "(3, 4)"),
    "plain": ({"question": "How many?", "answer": "12"}, "12"),
    "a number": ({"prompt": "How many?", "answer": 204}, "204"),
    "a decimal": ({"prompt": "How many?", "answer": 0.1}, "0.10000000000000001"),
    "a list": ({"question": "How many?", "final_answer": ["$2$"]}, "$2$"),
    "worked in words": ({"question": "How many?", "output": "First 3 and 4. The answer is 7."}, "7"),
    "Chinese": ({"question": "一共有几个苹果？", "solution": "先算 3+4=7。答案：7。"}, "7"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_right_answer_is_found_in_each_layout(tmp_path: Path, name: str) -> None:
    row, gold = LAYOUTS[name]
    assert golds(lines(tmp_path / "test.jsonl", row)) == [gold]


def test_json_and_parquet_are_read_alike(tmp_path: Path) -> None:
    rows = [{"question": "A?", "answer": "1"}, {"question": "B?", "answer": "2"}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    assert golds(tmp_path / "a.json") == golds(tmp_path / "a.parquet") == ["1", "2"]


def test_a_problem_says_where_it_stands_and_in_which_language(tmp_path: Path) -> None:
    rows = [
        {"id": "q1", "question": "Сколько яблок у Маши?", "answer": "3"},
        {"question": "?", "answer": "1", "lang": "zh"},
    ]
    one, other = read_problems(lines(tmp_path / "a.jsonl", *rows), "test.jsonl")
    assert (one.file, one.number, one.name, one.language) == ("test.jsonl", 1, "q1", "ru")
    assert (other.number, other.name, other.language) == (2, "", "zh")


def test_keys_of_other_names_can_be_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"frage": "Wie viele?", "antwort": "3"})
    assert golds(path, key="frage", answer="antwort") == ["3"]
    with pytest.raises(
        UsageError, match=r"row 1 has no question: .*its keys are: 'frage', .*name the key in the recipe"
    ):
        golds(path)


FAULTY = {
    "no answer": ({"question": "How many?", "level": 1}, "row 2 has no answer: .*its keys are: 'question', 'level'"),
    "an empty answer": ({"question": "How many?", "answer": " "}, "row 2 has no answer"),
    "true": ({"question": "How many?", "answer": True}, "row 2 has no answer"),
    "several answers": ({"question": "How many?", "answer": ["1", "2"]}, "row 2 has no answer"),
    "no question": ({"answer": "3"}, "row 2 has no question"),
    "no object": (7, "row 2 cannot be read"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_row_without_question_or_answer_is_named_with_its_file(tmp_path: Path, name: str) -> None:
    row, said = FAULTY[name]
    path = lines(tmp_path / "a.jsonl", {"question": "A?", "answer": "1"}, row)
    with pytest.raises(UsageError, match=f"a.jsonl: {said}"):
        golds(path)


def test_problems_of_a_file_are_items_that_can_be_graded(tmp_path: Path) -> None:
    rows = [{"question": "How many?", "answer": "12"}] * 2 + [{"question": "Сколько яблок?", "answer": "0,5"}]
    items = file_items(read_problems(lines(tmp_path / "a.jsonl", *rows), "a.jsonl"), "own")
    assert items["item_id"].n_unique() == 3  # a question that stands there twice is two items
    answers = pl.Series(["It is 12.", "13", "Ответ: 1/2."])
    found = grades(items.with_columns(system=pl.lit("tuned"), answer=answers))
    verdicts = dict(found.select("item_id", "verdict").iter_rows())
    assert [verdicts[one] for one in items["item_id"]] == ["correct", "wrong", "correct"]


@pytest.mark.skipif(not DATA.exists(), reason="the real problems are not beside the checkout")
@pytest.mark.parametrize(
    ("file", "count"),
    [("gsm8k/test.jsonl", 1319), ("math500/data/math500.jsonl", 500), ("math500/data/aime24.jsonl", 30)],
)
def test_every_real_problem_has_its_answer(file: str, count: int) -> None:
    found = golds(DATA / file, language="en")
    assert len(found) == count
    assert not any("####" in gold or "boxed" in gold for gold in found)
