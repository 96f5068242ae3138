"""Rows as tokens: what a stage is trained on, and which of it counts for the loss. Of the child process only.

The tokens of all rows lie one after the other in a file and are read from there: memory does not grow with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jinja2 import TemplateError
from numpy.typing import NDArray

from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import BEFORE, COLUMNS, JobStage

CHUNK = 4096  # rows that are tokenised at a time
_REMEDY = "take a base made for chats, or put a chat_template.jinja into its folder"
# Tokens, and where what counts for the loss begins, ends, begins again, and so on up to the last ones.
Marked = tuple[list[int], list[int]]


@dataclass(slots=True)
class Rows:
    """Token rows. Of DPO two belong together: the chosen answer's at 2i, the rejected one's at 2i + 1."""

    tokens: NDArray[np.int32]  # of all rows
    ends: NDArray[np.int64]  # shape (rows,): where each ends in `tokens`
    starts: NDArray[np.int32]  # shape (rows,): tokens of the prompt, which do not count for the loss
    too_long: int = 0  # rows, or pairs, that did not fit and are not among them
    given: int = 0
    # Shape (gaps, 3), by row: others' turns behind the start, which do not count: the row, the first token, the end.
    gaps: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    lengths: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        """Lengths follow from the ends."""
        self.lengths = np.diff(self.ends, prepend=0)

    def row(self, number: int) -> tuple[NDArray[np.int32], int]:
        """The tokens of a row, and where its answer starts."""
        end = int(self.ends[number])
        return self.tokens[end - int(self.lengths[number]) : end], int(self.starts[number])

    def gaps_of(self, number: int) -> NDArray[np.int64]:
        """First token and end of each gap of a row: shape (gaps, 2)."""
        first, end = np.searchsorted(self.gaps[:, 0], [number, number + 1])
        return self.gaps[first:end, 1:]


def read_rows(stage: JobStage, tokenizer: Any, context: int, ends: frozenset[int], file: Path) -> Rows:  # noqa: ANN401
    """Tokenise the rows of a stage into `file`.

    Text that is longer than the model takes is cut into several rows; a prompt with its answer, a conversation, or a
    pair, that is longer is left out and counted.

    Raises:
        TrainingFailed: `empty` where there is no row, `all_too_long` where none fits, `no_chat_template` where the
            template cannot write one.
    """
    limit = min(stage.train.length or context, context)
    scanned = pl.scan_parquet(stage.rows)
    frames = scanned.select(*COLUMNS[stage.kind], *(name for name in scanned.collect_schema() if name == BEFORE))
    made, given, too_long = 0, 0, 0
    starts, lengths, gaps = list[int](), list[int](), list[tuple[int, int, int]]()
    with file.open("wb") as out:
        for frame in frames.collect_batches(chunk_size=CHUNK, maintain_order=True):
            for rows in _tokenised(frame, stage, tokenizer, ends, limit, given):
                if any(len(ids) > limit for ids, _ in rows):
                    too_long += 1
                    continue
                for ids, (start, *others) in rows:
                    np.asarray(ids, np.int32).tofile(out)
                    gaps += [(len(starts), *gap) for gap in zip(others[::2], others[1::2], strict=True)]
                    starts.append(start)
                    lengths.append(len(ids))
                made += 1
            given += frame.height
    if not given:
        raise TrainingFailed("empty", f"stage {stage.id}: there is no row to train on; check what its `rows` select")
    if not made:
        raise TrainingFailed(
            "all_too_long",
            f"stage {stage.id}: each of its {given} rows is longer than {limit} tokens: raise `length`, or take a base "
            "that reads more",
        )
    tokens = np.memmap(file, np.int32, mode="r")
    between = np.asarray(gaps, np.int64).reshape(-1, 3)
    return Rows(tokens, np.cumsum(lengths, dtype=np.int64), np.asarray(starts, np.int32), too_long, given, between)


def _tokenised(
    frame: pl.DataFrame,
    stage: JobStage,
    tokenizer: Any,  # noqa: ANN401 - of transformers
    ends: frozenset[int],
    limit: int,
    given: int,
) -> Iterator[list[Marked]]:
    """The rows of the frame, of which `given` were before; two of a pair, one of each piece of a text."""
    kind = stage.kind
    if BEFORE in frame.columns:
        numbered = enumerate(frame.iter_rows(named=True), given + 1)
        told = [_turns(row, tokenizer, f"stage {stage.id}: row {number}") for number, row in numbered]
        made = tokenizer([text for text, _ in told], add_special_tokens=False, return_offsets_mapping=True)
        for (_, places), ids, offsets in zip(told, made["input_ids"], made["offset_mapping"], strict=True):
            yield [_marked(ids, np.asarray(offsets, np.int64), places, ends, tokenizer.eos_token_id)]
        return
    if kind == "text":
        for ids in tokenizer(frame["response"].to_list())["input_ids"]:
            closed = ids if ids and ids[-1] in ends else [*ids, tokenizer.eos_token_id]
            for begin in range(0, len(closed), limit):
                if len(piece := closed[begin : begin + limit]) > 1:
                    yield [(piece, [0])]
        return
    prompts = frame["prompt"].to_list()
    answers = [frame[name].to_list() for name in COLUMNS[kind][1:]]
    before = _ids(tokenizer, [chat_text(tokenizer, prompt) for prompt in prompts])
    whole = [
        _ids(tokenizer, [chat_text(tokenizer, *pair) for pair in zip(prompts, column, strict=True)])
        for column in answers
    ]
    for prompt, *rows in zip(before, *whole, strict=True):
        yield [_answered(prompt, ids, ends, tokenizer.eos_token_id) for ids in rows]


def _turns(row: Mapping[str, Any], tokenizer: Any, of: str) -> tuple[str, list[int]]:  # noqa: ANN401 - of transformers
    """A conversation as the chat template writes it, and the letters between which each answer of the assistant stands.

    An answer begins where the template has a model answer, and ends with what the template closes it by.

    Raises:
        TrainingFailed: `no_chat_template`.
    """
    messages = [*(row[BEFORE] or ()), _message("user", row["prompt"]), _message("assistant", row["response"])]
    text, places = "", list[int]()
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        try:
            before = _chat_text(tokenizer, messages[:number], answers=True)
            whole = _chat_text(tokenizer, messages[: number + 1])
        except (TemplateError, ValueError, TypeError) as error:
            raise TrainingFailed(
                "no_chat_template", f"{of}: the base's chat template refuses its messages ({error}): {_REMEDY}"
            ) from error
        if not (before.startswith(text) and whole.startswith(before)):
            raise TrainingFailed(
                "no_chat_template",
                f"{of}: the base's chat template writes messages otherwise once others follow, so that answers in the "
                f"middle of a conversation cannot be told: {_REMEDY}",
            )
        places += [len(before), len(whole)]
        text = whole
    return text, places


def _marked(ids: list[int], offsets: NDArray[np.int64], places: list[int], ends: frozenset[int], end: int) -> Marked:
    """A conversation's tokens, closed, with its answers; `offsets`, shape (tokens, 2), are the letters of each token.

    A token that reaches over a border belongs to the answer, as it does in `_answered`.
    """
    begins = np.searchsorted(offsets[:, 1], places[::2], side="right")
    stops = np.searchsorted(offsets[:, 0], places[1::2])
    closed = ids if ends.intersection(ids[begins[-1] :]) else [*ids, end]
    return closed, np.stack([begins, stops], 1).ravel().tolist()[:-1]


def _answered(prompt: list[int], ids: list[int], ends: frozenset[int], end: int) -> Marked:
    """A chat's tokens, closed, and how many of them the prompt has: those that it shares with the prompt alone."""
    start = len(prompt)
    if ids[:start] != prompt:  # the border merges into one token, or the template writes a prompt alone otherwise
        start = next(place for place, pair in enumerate(zip(prompt, [*ids, None], strict=False)) if pair[0] != pair[1])
    return (ids if ends.intersection(ids[start:]) else [*ids, end]), [start]


def chat_text(tokenizer: Any, prompt: str, answer: str | None = None) -> str:  # noqa: ANN401 - of transformers
    """A prompt, up to where its answer begins, or with its answer, as the chat template writes it."""
    messages = [_message("user", prompt), *([] if answer is None else [_message("assistant", answer)])]
    return _chat_text(tokenizer, messages, answers=answer is None)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _chat_text(tokenizer: Any, messages: list[dict[str, str]], *, answers: bool = False) -> str:  # noqa: ANN401
    """Messages as the chat template writes them; with `answers` up to where an answer to them begins."""
    text: str = tokenizer.apply_chat_template(messages, add_generation_prompt=answers, tokenize=False)
    return text


def check_chat(tokenizer: Any, stage: JobStage) -> None:  # noqa: ANN401 - of transformers
    """Whether a tokenizer's template can write what a stage trains on.

    Raises:
        TrainingFailed: `no_chat_template`.
    """
    if stage.kind == "text":
        return
    if not tokenizer.chat_template:
        raise TrainingFailed(
            "no_chat_template",
            f"stage {stage.id} trains on prompts and answers, and the base has no chat template: {_REMEDY}",
        )
    prompt, answer = "Is it one, or two?", "It is three."
    try:
        before, whole = chat_text(tokenizer, prompt), chat_text(tokenizer, prompt, answer)
    except (TemplateError, ValueError, TypeError) as error:
        raise TrainingFailed(
            "no_chat_template", f"stage {stage.id}: the base's chat template refuses an answer ({error}): {_REMEDY}"
        ) from error
    if not whole.startswith(before) or answer not in whole[len(before) :]:
        raise TrainingFailed(
            "no_chat_template",
            f"stage {stage.id}: the base's chat template does not write an answer where its prompt ends: {_REMEDY}",
        )


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:  # noqa: ANN401 - of transformers
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def row_order(rows: int, epochs: float, seed: Sequence[int]) -> NDArray[np.int64]:
    """The order in which rows are trained on, all epochs in one: shape (rows of all epochs,).

    Each epoch is a permutation of its own, which the seed decides. Rows of similar length are not put together: batches
    of a small model would be of one language each, and it learns less of a step than is saved of its time.
    """
    random = np.random.default_rng(list(seed))
    total = max(1, round(rows * epochs))
    return np.concatenate([random.permutation(rows) for _ in range(-(-total // rows))])[:total]
