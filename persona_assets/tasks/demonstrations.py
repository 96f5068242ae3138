"""Looks at the demonstrations of a task before it shows any: each is an answer that the task itself would keep."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from persona_assets.contamination.benchmarks import texts_of
from persona_assets.errors import Collected, UsageError
from persona_assets.prompts.fields import with_schemas
from persona_assets.prompts.load import row_line
from persona_assets.rules.sample import Sample
from persona_assets.steps.model import Reject
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.modes import DRAWN
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.validity import verdict

_SOUND: set[tuple[str, ...]] = set()  # tasks and files that were looked at in this process; looking takes 50 ms
_SHOWN = 160  # characters of what a schema finds wrong


def check_demonstrations(step: TaskStep, data: DataStep, languages: Sequence[str]) -> None:
    """See that a task that shows examples has them, for each language as many as a prompt shows.

    Raises:
        UsageError: there is no file, a row does not fit, or a language has too few; all of it is told.
    """
    name = step.template.name
    source = data.look().sources.get(name)
    if source is None:
        where = data.folder / data.declared.file.replace("*", name)
        raise UsageError(f"PERSONA_MODES: {name} is to show examples, but there are none: write {where}")
    seen = (step.template.digest, *(str(check.rule.recipe) for check in step.checks), source.content, *languages)
    seen += tuple(f"{one} {content}" for one, content in step.benchmarks.files.items()) if step.benchmarks else ()
    if seen in _SOUND:
        return
    found, counts = Collected(), Counter[str]()
    for place, row in _rows(data, name):
        said = _fault(step, row)
        if said:
            found.faults.append(UsageError(f"{source.path}:{row_line(source.path, place)}: row {place + 1}: {said}"))
        else:
            counts[row["language"]] += 1
    if not found.faults:
        found.faults += [
            UsageError(
                f"{source.path}: {counts[language]} demonstrations in {language}, {DRAWN} at least are wanted: write "
                "some, or leave the language out of PERSONA_LANGUAGES"
            )
            for language in languages
            if counts[language] < DRAWN
        ]
    found.check()
    _SOUND.add(seen)


def _rows(data: DataStep, key: str) -> Iterator[tuple[int, Any]]:
    """The rows of a task's file with their places, those that are set aside with why."""
    for one in data.rows(key):
        yield (one[0], one[1]) if isinstance(one, tuple) else (one["place"], one)


def _fault(step: TaskStep, row: Mapping[str, Any] | Reject) -> str:
    """What is wrong with a demonstration; "" where nothing is."""
    if isinstance(row, Reject):
        return row.detail
    language, text = row.get("language"), row.get("answer")
    if not isinstance(language, str) or not isinstance(text, str):
        return "a demonstration has a language and an answer"
    template = step.template
    try:
        answer = with_schemas(orjson.loads(text), template.schemas)
    except orjson.JSONDecodeError as error:
        return f"the answer is no JSON: {error}"
    for unfit in sorted(template.validator.iter_errors(answer), key=str):
        where = ".".join(map(str, unfit.absolute_path)) or "answer"
        return f"the answer does not fit the task's response_schema: {where}: {unfit.message[:_SHOWN]}"
    if found := verdict(step.checks, Sample(answer, "", language)):
        return f"the task itself would set it aside: {found.reason}: {found.detail}"
    if step.benchmarks and (overlap := step.benchmarks.seen_in(texts_of(answer))):
        return f"it overlaps a benchmark: {overlap.detail}"
    return ""
