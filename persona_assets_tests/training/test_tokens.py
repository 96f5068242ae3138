"""Rows as tokens: what counts for the loss, how texts are cut, and in which order rows come."""

import subprocess
import sys
import time
from copy import copy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona_assets.engines.scores import continuation_tokens
from persona_assets.prompts import Message
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Scratch
from persona_assets.training.scratch import make_tokenizer
from persona_assets.training.tokens import Rows, read_rows, row_order
from persona_assets.training.trainers import IGNORED, padded
from persona_assets_tests.training.jobs import SIZES, rows_file, stage

TEXTS = ["How much is 12 and 34?", "12 + 34 = 46#46", "Сколько будет 12 и 34?", "12加34等于几？"] * 5
MAKE = """
import sys, hashlib
from persona_assets.training.job import Scratch
from persona_assets.training.scratch import make_tokenizer
texts = [f"{word} {number} + {word}" for number in range(300) for word in ("one", "two", "три", "四", "five")]
print(hashlib.sha256(make_tokenizer(texts, Scratch()).backend_tokenizer.to_str().encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_tokenizer([*TEXTS, "It is the sum of them. " * 10], SIZES)


def read(kind: Any, tokenizer: Any, folder: Path, context: int = 96, **columns: list[str]) -> Rows:
    given = stage(folder, kind)
    pl.DataFrame(columns).write_parquet(given.rows)
    return read_rows(given, tokenizer, context, frozenset([tokenizer.eos_token_id]), folder / "tokens")


@pytest.mark.parametrize("text", [*TEXTS[:4], " two  spaces\nand a line", "<b>&amp;</b>", "2024-01-02", "½ ²", "é́"])
def test_a_text_is_its_tokens(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@given(st.text(max_size=40))
def test_any_text_is_its_tokens(text: str) -> None:
    tokenizer = make_tokenizer(TEXTS, Scratch())
    if "<|" not in text:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_digits_are_tokens_two_by_two_from_the_end_and_signs_take_their_spaces_along() -> None:
    tokenizer = make_tokenizer(["12 + 34 = 46; 9 * 12 = 108; 1234 / 2 = 617"] * 50, Scratch())
    found = tokenizer.tokenize("12 + 34 = 46; 108 / 9 = 12; 1234")
    assert " ".join(found) == "12 Ġ+Ġ 34 Ġ=Ġ 46 ;Ġ 1 08 Ġ/Ġ 9 Ġ=Ġ 12 ;Ġ 12 34"


def test_digits_of_a_long_number_take_time_with_their_number_and_no_more() -> None:
    tokenizer = make_tokenizer(TEXTS, Scratch())
    text = "12345" * 2000
    started = time.process_time()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert time.process_time() - started < 5


def test_a_tokenizer_is_the_same_in_any_process() -> None:
    found = {subprocess.run([sys.executable, "-c", MAKE], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1


def test_what_counts_is_what_is_answered(tokenizer: Any, tmp_path: Path) -> None:
    """And its end; the tokens before it are those that an engine asks with, and scores after."""
    rows = read("sft", tokenizer, tmp_path, prompt=TEXTS[:1], response=TEXTS[1:2])
    ids, start = rows.row(0)
    chat = [Message(role="user", content=TEXTS[0]), Message(role="assistant", content=TEXTS[1])]
    prompt, answer = continuation_tokens(tokenizer, chat)
    assert ids[:start].tolist() == prompt
    assert ids[start:].tolist() == [*answer, tokenizer.eos_token_id]


def test_pairs_share_their_prompt(tokenizer: Any, tmp_path: Path) -> None:
    rows = read("dpo", tokenizer, tmp_path, prompt=TEXTS[:1], response=TEXTS[1:2], rejected=["12 + 34 = 9"])
    (chosen, start), (rejected, other) = rows.row(0), rows.row(1)
    assert start == other
    assert chosen[:start].tolist() == rejected[:start].tolist()
    assert tokenizer.decode(rejected[start:]) == "12 + 34 = 9<|end|>"


TALK: list[tuple[str, str]] = [
    ("user", "How much is 12 and 34?"), ("assistant", "12 + 34 = 46#46"), ("user", "And 3?"), ("assistant", "49"),
]  # fmt: skip


def talk_of(*said: tuple[str, str], system: str = "") -> dict[str, list[Any]]:
    """The columns of a row that holds a conversation."""
    told = [("system", system)] * bool(system) + [*said]
    *before, (_, prompt), (_, response) = told
    return {
        "before": [[{"role": role, "content": text} for role, text in before]],
        "prompt": [prompt],
        "response": [response],
    }


def counted(rows: Rows, number: int = 0) -> list[int]:
    """The tokens of a row that count for the loss."""
    _, labels, _ = padded(rows, [number], 0)
    return [label for label in labels[0].tolist() if label != IGNORED]


def test_every_answer_of_a_conversation_counts_and_nothing_else(tokenizer: Any, tmp_path: Path) -> None:
    rows = read("sft", tokenizer, tmp_path, **talk_of(*TALK, system="It is the sum."))
    assert tokenizer.decode(counted(rows)) == "12 + 34 = 46#46<|end|>49<|end|>"
    whole = "".join(f"<|{role}|>{text}" + "<|end|>" * (role == "assistant") for role, text in TALK)
    assert tokenizer.decode(rows.row(0)[0]) == f"<|system|>It is the sum.{whole}"


def test_what_closes_an_answer_counts_and_what_opens_the_next_turn_does_not(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer = copy(tokenizer)
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    rows = read("sft", tokenizer, tmp_path, **talk_of(*TALK))
    assert tokenizer.decode(counted(rows)) == "12 + 34 = 46#46<|end|>\n49<|end|>\n"


def test_a_conversation_of_one_answer_is_a_prompt_and_an_answer(tokenizer: Any, tmp_path: Path) -> None:
    told = {"prompt": TEXTS[:4], "response": TEXTS[1:5]}
    one = read("sft", tokenizer, tmp_path, **told)
    other = read("sft", tokenizer, tmp_path, before=[[], None, [], None], **told)
    assert one.tokens.tolist() == other.tokens.tolist()
    assert one.starts.tolist() == other.starts.tolist()
    assert one.ends.tolist() == other.ends.tolist()
    assert not len(other.gaps)


WORDS = st.text(st.sampled_from("It is 12 + 3茶é\n?"), min_size=1, max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), min_size=1, max_size=5))
def test_what_counts_is_what_the_assistant_said(tokenizer: Any, tmp_path: Path, given: list[list[Any]]) -> None:
    """In whichever rows the conversations stand."""
    told = [
        talk_of(*((role, text) for turn in one for role, text in zip(("user", "assistant"), turn, strict=True)))
        for one in given
    ]
    frame = {name: [one[name][0] for one in told] for name in ("before", "prompt", "response")}
    rows = read("sft", tokenizer, tmp_path, context=4096, **frame)
    for number, one in enumerate(given):
        assert tokenizer.decode(counted(rows, number)) == "".join(f"{answer}<|end|>" for _, answer in one)


def test_a_conversation_that_is_too_long_is_left_out_and_the_marks_of_others_stay(
    tokenizer: Any, tmp_path: Path
) -> None:
    long = talk_of(*TALK[:2], ("user", "And? " * 50), TALK[3])
    told = [long, talk_of(*TALK), long, talk_of(*TALK[:2]), talk_of(*TALK)]
    rows = read("sft", tokenizer, tmp_path, **{name: [one[name][0] for one in told] for name in told[0]})
    assert (rows.given, rows.too_long, len(rows.ends)) == (5, 2, 3)
    texts = [tokenizer.decode(counted(rows, number)) for number in range(3)]
    assert texts == ["12 + 34 = 46#46<|end|>49<|end|>", "12 + 34 = 46#46<|end|>", "12 + 34 = 46#46<|end|>49<|end|>"]


LAST_ALONE = (
    "{% for message in messages %}{% if message['role'] == 'user' or loop.last %}{{ message['content'] }};"
    "{% endif %}{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (LAST_ALONE, "stage sft: row 2: the base's chat template writes messages otherwise once others follow"),
        (
            "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + LAST_ALONE,
            r"stage sft: row 1: the base's chat template refuses its messages \(no system\)",
        ),
    ],
)
def test_a_template_that_cannot_write_conversations_is_told_with_the_row(
    tokenizer: Any, tmp_path: Path, template: str, said: str
) -> None:
    tokenizer = copy(tokenizer)
    tokenizer.chat_template = template
    told = [talk_of(*TALK[:2], system="Sum." if "no system" in said else ""), talk_of(*TALK)]
    with pytest.raises(TrainingFailed, match=said) as error:
        read("sft", tokenizer, tmp_path, **{name: [one[name][0] for one in told] for name in told[0]})
    assert error.value.reason == "no_chat_template"


def test_a_pair_is_left_out_whole(tokenizer: Any, tmp_path: Path) -> None:
    long = "12 + 34 = 46 " * 20
    rows = read("dpo", tokenizer, tmp_path, prompt=TEXTS[:2], response=TEXTS[:2], rejected=["12", long])
    assert (rows.given, rows.too_long, len(rows.ends)) == (2, 1, 2)


def test_a_long_text_is_cut_and_nothing_of_it_lost(tokenizer: Any, tmp_path: Path) -> None:
    text = "It is the sum of them. " * 30
    rows = read("text", tokenizer, tmp_path, context=32, response=[text])
    assert len(rows.ends) > 1
    assert rows.lengths.max() == 32
    assert tokenizer.decode(rows.tokens) == text + "<|end|>"


def test_a_template_that_closes_no_answer_is_closed(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.chat_template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    rows = read("sft", tokenizer, tmp_path, prompt=TEXTS[:1], response=TEXTS[1:2])
    assert rows.row(0)[0][-1] == tokenizer.eos_token_id


@given(st.integers(1, 200), st.floats(0.2, 4.0), st.integers(0, 9))
def test_each_epoch_has_each_row_once(rows: int, epochs: float, seed: int) -> None:
    order = row_order(rows, epochs, (seed, 0))
    assert len(order) == max(1, round(rows * epochs))
    for begin in range(0, len(order), rows):
        part = order[begin : begin + rows]
        assert len(set(part.tolist())) == len(part)


def test_the_order_hangs_on_the_seed_and_the_stage() -> None:
    orders = {row_order(100, 1, seed).tobytes() for seed in ((0, 0), (0, 1), (1, 0))}
    assert len(orders) == 3
    assert row_order(100, 1, (0, 0)).tobytes() in orders


def test_rows_are_read_in_parts(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = stage(tmp_path, "sft")
    rows_file(given.rows, "sft", rows=40)
    whole = read_rows(given, tokenizer, 96, frozenset([tokenizer.eos_token_id]), tmp_path / "whole")
    monkeypatch.setattr("persona_assets.training.tokens.CHUNK", 7)
    parts = read_rows(given, tokenizer, 96, frozenset([tokenizer.eos_token_id]), tmp_path / "parts")
    assert whole.tokens.tolist() == parts.tokens.tolist()
    assert whole.ends.tolist() == parts.ends.tolist()
