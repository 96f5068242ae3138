"""The items of benchmark files: their questions, and answers beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from persona_assets.errors import UsageError
from persona_assets.files.rows import Row, open_rows
from persona_assets.ids import Json

# Names of keys by what they hold. The first key of a row that holds a text is its question; all answers count.
QUESTIONS = ("question", "problem", "prompt", "instruction", "query", "input", "text", "task", "goal", "messages")
ANSWERS = ("solution", "answer", "output", "response", "completion", "rationale", "explanation", "reference")
IDS = ("id", "task_id", "question_id", "problem_id", "unique_id", "uid", "key", "name")
_BESIDE = {"instruction": "input"}  # what continues a question where it is there
ENDINGS = (".jsonl", ".json", ".ndjson", ".parquet", ".csv", ".tsv")
COMPRESSED = ("", ".gz", ".zst", ".lz4")
_LONGEST_ID = 60
_SHOWN_KEYS = 30


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its file, as it is called in reports, its number from 1, its id or "", its question and its answers."""

    file: str
    number: int
    name: str
    question: str
    answers: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """File and item, such as `test.jsonl item 17 (q_17)`."""
        return f"{self.file} item {self.number}" + (f" ({self.name})" if self.name else "")


def files_in(folder: Path) -> dict[str, Path]:
    """The benchmark files of a folder and of those in it, by name from the folder on, in order; others are left out.

    Raises:
        UsageError: there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of benchmark files")
    kinds = tuple(ending + compressed for ending in ENDINGS for compressed in COMPRESSED)
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.name.lower().endswith(kinds) and not path.name.startswith(".") and path.is_file()
    }
    if not found:
        raise UsageError(f"{folder}: there is no benchmark file in it (their names end in {', '.join(ENDINGS)})")
    return dict(sorted(found.items()))


def read_items(path: Path, name: str, key: str | None = None) -> Iterator[Item]:
    """The items of a file; `key` holds the question where it is none of `QUESTIONS`. Rows without a text are left out.

    Raises:
        UsageError: there is no such file, no row has a question, or a row cannot be read; the message says the remedy.
        PersonaAssetsError: the file is damaged.
    """
    remedy = "or name it (decontaminate --key NAME)"
    return (item for item, _ in read_rows(path, name, key, remedy) if item.question)


def read_rows(path: Path, name: str, key: str | None, remedy: str) -> Iterator[tuple[Item, Mapping[str, Json]]]:
    """Every row of a file as an item, whose question may be "", with what stands in it.

    `key` is that of `read_items`; `remedy` ends the message of a file without any question.

    Raises:
        UsageError: as `read_items`.
        PersonaAssetsError: the file is damaged.
    """
    seen: dict[str, None] = {}
    found = False
    with open_rows(path) as (_, batches):
        for batch in batches:
            for row in batch:
                values = _values(path, row)
                if len(seen) < _SHOWN_KEYS:
                    seen.update(dict.fromkeys(values))
                item = item_of(values, name, row.number, key)
                found = found or bool(item.question)
                yield item, values
    if not found:
        wanted = f"key {key!r} holds no text" if key else f"none of the keys {', '.join(QUESTIONS)} holds a text"
        keys = ", ".join(repr(one[:_LONGEST_ID]) for one in seen)
        raise UsageError(
            f"{path}: there is no question in any row: {wanted}; its keys are: {keys or 'none, as it has no rows'}. "
            f"Rename the key that holds the question, {remedy}"
        )


def item_of(values: Mapping[str, Json], name: str, number: int, key: str | None = None) -> Item:
    """A row of the file `name` as an item, whose question may be ""; `key` is that of `read_items`."""
    answers = (text_in(values.get(one)) for one in ANSWERS if one != key)
    return Item(name, number, _name(values), _question(values, key), tuple(one for one in answers if one))


def _values(path: Path, row: Row) -> Mapping[str, Json]:
    if row.values is None:
        raise UsageError(f"{path}: row {row.number} cannot be read: {row.problem}; mend it or take it out")
    return row.values


def _question(values: Mapping[str, Json], key: str | None) -> str:
    for name in (key,) if key else QUESTIONS:
        if text := text_in(values.get(name)):
            beside = text_in(values.get(_BESIDE.get(name, ""), ""))
            return f"{text}\n{beside}" if beside else text
    return ""


def _name(values: Mapping[str, Json]) -> str:
    """The item's own id, where it has one; a number that is no more than its place says nothing."""
    for name in IDS:
        value = values.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return " ".join(str(value).split())[:_LONGEST_ID]
    return ""


def text_in(value: Any) -> str:  # noqa: ANN401 - any value of a file
    """A text, or that of messages: what users say in them, or where no role is told, all of it."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        return ""
    told = [one for one in value if isinstance(one, Mapping)]
    asked = [one for one in told if one.get("role", one.get("from")) in ("user", "human")] or told
    texts = [one.get("content", one.get("value", one.get("text"))) for one in asked]
    texts += [one for one in value if isinstance(one, str)]
    return "\n".join(one for one in texts if isinstance(one, str) and one.strip())
