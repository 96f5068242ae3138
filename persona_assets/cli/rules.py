"""`persona-assets rules`: the rules on anybody's file, or the list of them."""

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson
import typer

from persona_assets.cli.run import err, out, row_progress
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.judging import DocumentJudge, Judge, Judged, PersonaJudge, Report, SampleJudge, judge_rows
from persona_assets.rules.registry import Kind, with_own
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets, own_rules
from persona_assets.tasks.step import TaskStep
from persona_assets.view import blocks as view
from persona_assets.view.json import to_json
from persona_assets.view.numbers import percent
from persona_assets.view.safe import one_line
from persona_assets.view.terminal import say, show

ADDED = ("language", "keep", "reason", "detail")  # columns that written rows gain; their own `language` is kept


def run_rules(path: Path, judge: Judge, language: str | None, written: Path | None) -> Report:
    """Judge a file, and write its rows with their verdicts where asked for.

    Raises:
        UsageError: the file cannot be judged, or not be written to that place.
        PersonaAssetsError: the file is damaged.
    """
    report = Report(str(path))
    with row_progress() as progress, _writer(path, written) as write:
        for batch in judge_rows(path, judge, language):
            report.add(batch)
            for one in batch:
                write(one)
            progress("judging", report.rows, None)
    return report


class _Writer:
    """Writes rows as JSON lines or CSV."""

    def __init__(self, file: IO[str], kind: str) -> None:
        self._file, self._kind = file, kind
        self._csv: Any = None
        self._names: list[str] = []

    def __call__(self, one: Judged) -> None:
        values = dict(one.row.values or {})
        taken = [name for name in ADDED[1:] if name in values]
        if taken:
            raise UsageError(
                f"row {one.row.number} has a column {taken[0]!r} already, which the written rows gain: rename it"
            )
        values = {"language": one.language} | values | {"keep": one.keep, "reason": one.reason, "detail": one.detail}
        if self._kind == ".jsonl":
            self._file.write(orjson.dumps(values, default=str).decode() + "\n")
            return
        if self._csv is None:
            self._names = list(values)
            self._csv = csv.writer(self._file)
            self._csv.writerow(self._names)
        if beside := [name for name in values if name not in self._names]:
            raise UsageError(f"row {one.row.number} has a column {beside[0]!r} that the first row lacks: write .jsonl")
        self._csv.writerow([_cell(values.get(name)) for name in self._names])


def _cell(value: Any) -> str:  # noqa: ANN401 - any value of a file
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value, default=str).decode()


@contextmanager
def _writer(path: Path, written: Path | None) -> Iterator[Any]:
    """Gives what takes each row; the file is there once all are."""
    if written is None:
        yield lambda one: None
        return
    if written.suffix not in (".jsonl", ".csv"):
        raise UsageError(f"--out {written}: rows are written as .jsonl or .csv")
    if written.exists() and written.samefile(path):
        raise UsageError(f"--out {written} is the file that is judged; choose another name")
    aside = written.with_name(f".{written.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8", newline="") as file:
            yield _Writer(file, written.suffix)
        aside.replace(written)
    except OSError as error:
        raise UsageError(f"--out {written}: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def judge_of(settings: Settings, kind: Kind, task: str | None, column: str | None) -> Judge:
    """The judge of a kind of rows; of samples, by the rules of a task.

    Raises:
        UsageError: there is no such task.
    """
    if kind == "document":
        return DocumentJudge(settings, column)
    if kind == "persona":
        return PersonaJudge(column)
    steps = {name: step for name, step in datasets(settings).items() if isinstance(step, TaskStep)}
    if task not in steps:
        raise UsageError(f"--task {task}: there is no such task; {did_you_mean(str(task), steps)}")
    return SampleJudge(steps[task].template, steps[task].checks, column, steps[task].benchmarks)


def report_blocks(report: Report) -> list[view.Block]:
    """What is refused and why, with examples."""
    rows = [
        (
            reason,
            f"{count:,}",
            percent(count, report.rows),
            view.bar(report.rows, (view.PLAIN, count)),
            "\n".join(
                f"{one_line(one.detail)} — row {one.row.number}: {one_line(one.text)}"
                for one in report.examples.get(reason, [])
            ),
        )
        for reason, count in (("kept", report.kept), *report.rejected.most_common())
    ]
    languages = ", ".join(f"{code or 'none'} {count:,}" for code, count in report.languages.most_common(6))
    heads = [*view.left("reason"), *view.right("rows", "share"), *view.whole(""), *view.left("seen")]
    return [view.Lines([f"{report.file}: {report.rows:,} rows ({languages})"]), view.Table(heads, rows)]


def show_rules(settings: Settings, as_json: bool) -> None:
    """All rules, by what they judge."""
    own = own_rules(settings)
    found: list[Mapping[str, Any]] = [
        {"rule": one.name, "of": one.of, "says": one.description, "version": one.version, "repairs": one.repairs}
        for of in _KINDS
        for one in with_own(of, own).values()
    ]
    if as_json:
        typer.echo(to_json(found))
        return
    rows = [(one["of"], one["rule"], one["says"], "once" if one["repairs"] else "") for one in found]
    show(out, view.Table(view.left("of", "rule", "what it says", "repaired"), rows))
    say(err, "A file is judged by: persona-assets rules FILE --task NAME, --persona or --document")


_KINDS: tuple[Kind, ...] = ("document", "persona", "sample")
