"""Sentences as a reader counts them in three languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.constraints.sentences import last_sentence, sentence_count

COUNTS = [
    ("", 0),
    ("!!! ... ?", 0),
    ("One", 1),
    ("It costs 3.50 dollars. Buy it at example.com today.", 2),
    ("Ask Dr. Brown, Mrs. Lee or J. K. Hall. They know.", 2),
    ("Bring tools, e.g. a saw, i.e. a small one. Go.", 2),
    ("Bring nails, screws, etc. Then start.", 2),
    ("We meet at 5 p.m. on Monday. Come.", 2),
    ("See No. 5. He said no. Then he left.", 3),
    ("Well... maybe. Wait... Yes.", 3),
    ("What?! No way!!! Fine.", 3),
    ('He said: "Stop." Then he left.', 2),
    ('"Why?" she asked. "Because!" he cried.', 2),
    ("small letters here. and here. e.g. this one.", 3),
    ("a list of things.\n\n- do this\n- do that.", 3),
    ("A line that\nruns on. It ends.", 2),
    ("## Heading\n\nText. <<no>>", 2),
    ("| a. | b. |\n|---|---|\n| c. | d. |\n\nText.", 1),
    ("```\na. b. c.\n```\nText.", 1),
    ("P.S. Call me.", 1),
    ("The A.M. Hall award. Won.", 2),
    ("你好。你好吗？很好！", 3),
    ("他想了想……然后走了。", 1),
    ("他走了……", 1),
    ("他说：“走吧。”我们走了。", 2),
    ("“走吧！”他喊道。我们走了。", 2),
    ("价格是3.5元。用App付款，例如Dr. Pay。", 2),
    ("他说：“走吧。”她回答道：“不走。”他笑了。", 3),
    ("你好!再见!", 2),
    ("什么？！不行。", 2),
    ("Это мята, т. е. трава. Её пьют.", 2),
    ("Мята, шалфей и т. д. Потом чай.", 2),
    ("Мята, шалфей и т. п. растения. Чай.", 2),
    ("В 1990 г. Москва была другой. В 1991 г. тоже.", 3),
    ("Он родился в г. Москве. Там и жил.", 2),
    ("А. С. Пушкин и Л. Н. Толстой. Классики.", 2),
    ("Цена 5 тыс. руб. за штуку. Дорого.", 2),
    ("«Что?» — спросил он. «Ничего!»", 2),
    ("Ну… ладно. Ладно… Пойдём.", 3),
    ("пишу без заглавных. так тоже можно. да.", 3),
]


@pytest.mark.parametrize(("text", "count"), COUNTS)
def test_sentences_are_counted_as_a_reader_counts_them(text: str, count: int) -> None:
    assert sentence_count(text) == count


def test_the_last_sentence_is_found_behind_others() -> None:
    assert last_sentence("One. Two?\n\n- Three!") == "Three!"


@given(st.text(st.sampled_from('aБ好.。!？…"”« \n-1#*|`'), max_size=60))
def test_any_text_has_a_count_that_its_marks_and_lines_bound(text: str) -> None:
    assert 0 <= sentence_count(text) <= sum(1 for one in text if one in ".。!？…\n") + 1


@given(
    st.lists(st.sampled_from(["Rain falls.", "Is it warm?", "Go!"]), min_size=1, max_size=8),
    st.sampled_from([" ", "\n\n"]),
)
def test_plain_sentences_add_up(sentences: list[str], between: str) -> None:
    assert sentence_count(between.join(sentences)) == len(sentences)
