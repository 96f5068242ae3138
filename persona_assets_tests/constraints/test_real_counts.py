"""Words and sentences of real texts in three languages, beside a count by hand."""

import json
from pathlib import Path

import pytest

from persona_assets.constraints.blocks import lines
from persona_assets.constraints.sentences import sentence_count
from persona_assets.constraints.words import word_list

DATA = Path(__file__).parents[3] / "shared" / "data"
# Language, file, row (0 where the file is one text), beginning, sentences, words (zh: characters and foreign words).
BY_HAND = [
    ("en", "llamafactory/alpaca_en_demo.json", 271, "The statement is fake.", 2, 36),
    ("en", "llamafactory/alpaca_en_demo.json", 278, "There is some dispute", 3, 55),
    ("en", "llamafactory/alpaca_en_demo.json", 567, "As of October 2021", 2, 53),
    ("en", "llamafactory/alpaca_en_demo.json", 671, "The appropriate punctuation", 2, 25),
    ("en", "llamafactory/alpaca_en_demo.json", 803, "Friend 1:", 7, 34),
    ("zh", "llamafactory/alpaca_zh_demo.json", 31, "1天有24小时", 1, 24),
    ("zh", "llamafactory/alpaca_zh_demo.json", 83, "听起来像", 2, 40),
    ("zh", "llamafactory/alpaca_zh_demo.json", 134, '"I am here"', 2, 37),
    ("zh", "llamafactory/alpaca_zh_demo.json", 137, "这句话的主语", 3, 46),
    ("zh", "llamafactory/alpaca_zh_demo.json", 142, "我抱歉", 3, 77),
    ("ru", "rulm_ru/seed_tasks.jsonl", 0, "Да, можно выпить", 3, 52),
    ("ru", "rulm_ru/seed_tasks.jsonl", 12, "Причин, по которым", 4, 38),
    ("ru", "rulm_ru/seed_tasks.jsonl", 14, "Возможное заболевание", 2, 14),
    ("ru", "factrueval_ru/devset/book_263.txt", 0, "Шаттл «Дискавери»", 5, 76),
    ("ru", "factrueval_ru/devset/book_336.txt", 0, "Самолет с Виталием", 4, 56),
]


def text_of(path: Path, row: int) -> str:
    told = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return str(json.loads(told)[row]["output"])
    if path.suffix == ".jsonl":
        return str(json.loads(told.splitlines()[row])["instances"][0]["output"])
    return told


@pytest.mark.skipif(not DATA.exists(), reason="the real texts are not beside the checkout")
@pytest.mark.parametrize(("language", "file", "row", "begins", "sentences", "words"), BY_HAND)
def test_counts_are_those_of_a_count_by_hand(
    language: str, file: str, row: int, begins: str, sentences: int, words: int
) -> None:
    text = text_of(DATA / file, row)
    assert text.startswith(begins)
    assert (sentence_count(text), sum(len(word_list(line.text)) for line in lines(text))) == (sentences, words)
