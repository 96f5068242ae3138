"""The one step behind every task: questions about the rows of a table, and rows out of the answers that pass its rules.

A row is asked about once for each combination of the values of `over` that `keep_if` lets pass, and `attempts` times
each. What a template can use:

| variable | is |
| --- | --- |
| a column of the table that is read | its value; `deduped_personas` has `text`, `language`, `hop`, ... |
| `<table>.<column>` | that of an ancestor, as `raw_documents.text`; of several ancestors the first |
| a name of `over` | the value asked with; of a row of values its columns, as `pole.manner` |
| `persona` | the text of the persona that is read, or that the row came from |
| `language_name` | English name of the language to answer in: that of the row, or of `over` |
| `pick` | a whole number that follows from the row's id, to spread rows evenly over a list in `params` |
| `attempt` | which of the independent answers, from 0 |
| `rows` | with `group` the rows that are asked about together; of their columns those of `by` stand by themselves too |
| a name of `with` | the rows that were looked up |
| the name of an earlier turn | its answer |
"""

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import TemplateError

from persona_assets.contamination.benchmarks import Benchmarks
from persona_assets.errors import UsageError, WrongKey, did_you_mean
from persona_assets.ids import Json, canonical_json, digest, make_id
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import ASSET_TABLES, DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.prompts.template import ENVIRONMENT, MOST_ATTEMPTS, ROWS, ByColumn, Group, LookUp, Over
from persona_assets.rules.registry import Rule
from persona_assets.steps.runner import Ask, Outcome, Parsed, Reject
from persona_assets.tasks.answers import Answers
from persona_assets.tasks.groups import groups, in_order
from persona_assets.tasks.modes import SYSTEM
from persona_assets.tasks.rows import Link, Looking, Reading, Row, ancestors_of, links_to
from persona_assets.tasks.set_checks import OwnCheck
from persona_assets.tasks.table import holds_texts, task_table
from persona_assets.tasks.uses import Uses, texts_of, together
from persona_assets.tasks.validity import Check, bind
from persona_assets.text.language import LANGUAGE_NAMES

NOT_SELECTED = "not_selected"  # reason under which a row is set aside that `keep_if` asks nothing about
_PERSONA_COLUMNS = ("persona_id", "document_id", "text", "language")
_WORD = re.compile(r"\w+")
_PICKS = 5040  # divisible by every length up to ten, and few enough for all forms to be kept
_GIVEN = frozenset({"persona", "language_name", "pick", "attempt"})
_PERSONA = DEDUPED_PERSONAS.name
# What an expression may raise on some value.
_CANNOT_BE_TOLD = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class TaskStep:
    """Asks a task's questions, and reads the answers."""

    def __init__(
        self,
        template: Template,
        tables: Mapping[str, Table] = ASSET_TABLES,
        file: Path | None = None,
        own_checks: Mapping[str, OwnCheck] | None = None,
        rules: Mapping[str, Rule] | None = None,
        benchmarks: Benchmarks | None = None,
    ) -> None:
        """`tables` holds what the task reads and what that came from; `file` is its task file.

        `own_checks` are functions that it may name among its `set_checks`, `rules` those of its `validity`;
        rows that overlap an item of `benchmarks` are set aside.
        """
        self._template, self._tables, self.file, self._own_checks = template.whole, tables, file, own_checks
        self._rules, self._held_to = rules, benchmarks

    @cached_property
    def table(self) -> Table:
        """The table it writes.

        Raises:
            UsageError: the template is not a usable task.
        """
        return task_table(self._template, self._tables, self._own_checks)

    @property
    def template(self) -> Template:
        """What it asks first."""
        return self._template

    @cached_property
    def turns(self) -> tuple[Template, ...]:
        """The prompts of all turns."""
        return self._template.all_turns()

    @property
    def read(self) -> Table:
        """The table whose rows it asks about."""
        return self._tables[self._template.reads.name]

    @property
    def tables_read(self) -> tuple[str, ...]:
        """Every table that rows are made from: the one that it reads, and those of the ancestors that it uses."""
        above = [table.name for links, _ in self.reading.ancestors.values() for _, table, _ in links]
        beside = [looking.table.name for looking in self.reading.looked_up.values()]
        for looking in self.reading.looked_up.values():
            beside += [table.name for links, _ in looking.ancestors.values() for _, table, _ in links]
        return tuple(dict.fromkeys([self.read.name, *above, *beside]))

    @property
    def looks_into(self) -> dict[str, str]:
        """The one partition of a named set that rows are looked up in, by table; of others all partitions are read."""
        found: dict[str, set[str]] = {self.read.name: {""}}
        for _, table, _ in (link for links, _ in self.reading.ancestors.values() for link in links):
            found.setdefault(table.name, set()).add("")
        for looking in self.reading.looked_up.values():
            above = [table for links, _ in looking.ancestors.values() for _, table, _ in links]
            for table in (looking.table, *above):
                same = table.partition == looking.table.partition
                found.setdefault(table.name, set()).add(looking.partition if same else "")
        return {
            name: partitions.pop()
            for name, partitions in found.items()
            if len(partitions) == 1 and "" not in partitions
        }

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The task's validity rules."""
        return bind(self._template, self._rules)

    @cached_property
    def benchmarks(self) -> Benchmarks | None:
        """The benchmarks that rows may not overlap; None where none are set, or rows hold no texts."""
        return self._held_to if self._held_to and holds_texts(self._template) else None

    @property
    def mends(self) -> bool:
        """Whether it has rules whose faults a repair may mend."""
        return any(check.rule.repairs for check in self.checks)

    @cached_property
    def reading(self) -> Reading:
        """The columns of the rows, and of their ancestors, that prompts, `keep_if`, rules and lineage need.

        Raises:
            UsageError: a prompt or `keep_if` uses what is not there; the message names what is.
        """
        read = self.read
        columns = {read.key, *({"persona_ids", "document_id", "language"} & set(read.polars))}
        columns |= set(_PERSONA_COLUMNS) if read.key == "persona_id" else set()
        known_ancestors = ancestors_of(read, self._tables)
        self._check_uses(known_ancestors)
        above: dict[str, set[str]] = {}
        if isinstance(self._template.attempts, ByColumn):
            columns.add(self._counted(self._template.attempts.column))
        if self._template.answered_by:
            columns.add(self._answerer(self._template.answered_by))
        if self._group:
            columns |= {*self._group.by, self._group.order} & set(read.polars) | set(self._named(_usable(read)))
            above = {name: set(self._named(_usable(self._tables[name]))) for name in self._named(known_ancestors)}
        for name, used in self._used.items():
            if name in self._template.over:
                continue
            if name in _usable(read):
                columns.add(name)
            elif name in known_ancestors:
                above.setdefault(name, set()).update(_usable(self._tables[name]) if used is None else used)
        if read.key != "persona_id" and self._needs_persona:
            if _PERSONA not in known_ancestors:
                raise self._wrong(("validity",), f"{read.name} came from no persona, which no_persona_echo looks at")
            above.setdefault(_PERSONA, set()).add("text")
        ways: dict[str, tuple[tuple[Link, ...], tuple[str, ...]]] = {
            name: (links_to(read, name, self._tables), tuple(sorted(found))) for name, found in above.items()
        }
        looked_up = {name: self._looking(name, up) for name, up in self._template.with_.items()}
        return Reading(read, tuple(name for name in read.polars if name in columns), ways, looked_up)

    def _looking(self, name: str, up: LookUp) -> Looking:
        """How rows are looked up.

        Raises:
            UsageError: a table or column is not there.
        """
        if up.from_.name not in self._tables:
            said = f"{up.from_.name} is not an asset; {did_you_mean(up.from_.name, self._tables)}"
            raise self._wrong(("with", name, "from"), said)
        table, (own, theirs) = self._tables[up.from_.name], up.columns
        for column, of in ((own, self.read), (theirs, table)):
            if column and column not in _usable(of):
                said = f"{of.name} has no column {column!r}; {did_you_mean(column, _usable(of))}"
                raise self._wrong(("with", name, "on"), said)
        if up.order and (up.order not in _usable(table) or table.polars[up.order].is_nested()):
            said = f"{table.name} has no column {up.order!r} to order by; {did_you_mean(up.order, _usable(table))}"
            raise self._wrong(("with", name, "order"), said)
        if table.partition == "dump":
            raise self._wrong(("with", name, "from"), f"{table.name} is partitioned by dumps, which no task can read")
        columns = tuple(dict.fromkeys([table.key, *self._named(_usable(table))]))
        above: dict[str, tuple[tuple[Link, ...], tuple[str, ...]]] = {
            one: (links_to(table, one, self._tables), tuple(sorted(self._named(_usable(self._tables[one])))))
            for one in self._named(ancestors_of(table, self._tables))
            if one not in _usable(table)
        }
        return Looking(table, own, theirs, columns, self.read.key, up.take, up.draw, up.partition, above, up.order)

    def _named(self, names: Iterable[str]) -> list[str]:
        """Those of some names that stand as a word in a prompt or `keep_if`: columns of rows that are looped over."""
        texts = [message.content for turn in self.turns for message in turn.messages]
        words = set(_WORD.findall(" ".join([*texts, self._template.keep_if])))
        return [name for name in names if name in words]

    def _counted(self, column: str) -> str:
        """A column that holds whole numbers.

        Raises:
            UsageError: there is no such column.
        """
        known = [name for name, dtype in self.read.polars.items() if dtype.is_integer()]
        if column not in known:
            has = f"{self.read.name} has no column {column!r} of whole numbers"
            raise self._wrong(("attempts", "column"), f"{has}; {did_you_mean(column, known)}")
        return column

    def _answerer(self, column: str) -> str:
        """A column that says who answers.

        Raises:
            UsageError: there is no such column.
        """
        structs = {name: dtype for name, dtype in self.read.polars.items() if isinstance(dtype, pl.Struct)}
        known = [name for name, dtype in structs.items() if {"id", "engine", "model"} <= {*dtype.to_schema()}]
        if column not in known:
            said = f"{self.read.name} has no column {column!r} of structs with id, engine and model"
            raise self._wrong(("answered_by",), f"{said}; {did_you_mean(column, known)}")
        return column

    def _check_uses(self, known_ancestors: Sequence[str]) -> None:
        """That all which prompts and `keep_if` use is there."""
        read, template = self.read, self._template
        own = self._own_names
        taken = [*_GIVEN, *template.params, *own]
        for name in [name for name in template.with_ if name in (*taken, *template.over, *known_ancestors)]:
            raise self._wrong(("with", name), "stands for something else in prompts already; name it otherwise")
        for name in [name for name in template.over if name in taken and name not in ("language", SYSTEM)]:
            raise self._wrong(("over", name), "stands for something else in prompts already; name it otherwise")
        taken += [*template.over, *template.with_, *known_ancestors]
        for number, name in enumerate(template.turn_names):
            if name in taken:
                place = ("turns", number - 1, "name") if number else ("turns",)
                raise self._wrong(place, f"{name} stands for something else in prompts already; name it otherwise")
        for text in texts_of(template):
            for name, columns in text.uses.items():
                in_rows = self._group is not None and text.place != ("keep_if",)  # what stands in each of `rows`
                own = self._own_names if in_rows else [*_usable(read), *known_ancestors]
                known = [*own, *_GIVEN, *template.over, *template.with_, *text.turns]
                if name not in known:
                    given = [*known, *template.params]
                    within = f"; a row's columns are those of each of `{ROWS}`" if in_rows else ""
                    raise self._wrong(text.place, f"{name!r} is not there to use; {did_you_mean(name, given)}{within}")
                if name == "persona" and in_rows:
                    raise self._wrong(text.place, f"`persona` is not there, as there are several {ROWS}")
                if name in template.over and self._group and not in_rows:
                    raise self._wrong(text.place, f"{name} is not there: groups are the same for all values of `over`")
                if name == "persona" and read.key != "persona_id" and _PERSONA not in known_ancestors:
                    raise self._wrong(text.place, f"{read.name} came from no persona: `persona` is not there")
                of = self._columns_of(name, known_ancestors)
                for column in sorted((columns or frozenset()) - of) if of else ():
                    raise self._wrong(text.place, f"{name} has no column {column!r}; {did_you_mean(column, of)}")

    @cached_property
    def _own_names(self) -> list[str]:
        """The columns that prompts can use by themselves; of several rows what these are alike in, and the rows."""
        return [*self._group.by, ROWS] if self._group else _usable(self.read)

    @property
    def _group(self) -> Group | None:
        return self._template.group

    def _columns_of(self, name: str, known_ancestors: Sequence[str]) -> frozenset[str]:
        """What can be taken of a name: columns of an ancestor, or of the rows of values; nothing known of others."""
        if name in self._template.over:
            rows = self._template.over[name].values
            return frozenset(column for row in rows if isinstance(row, dict) for column in row)
        own = name in _usable(self.read) or name in _GIVEN
        return frozenset(_usable(self._tables[name]) if name in known_ancestors and not own else ())

    def _wrong(self, place: tuple[str | int, ...], said: str) -> WrongKey:
        return WrongKey(f"task {self._template.name}", place, said)

    @cached_property
    def _used(self) -> Uses:
        """What prompts and `keep_if` use."""
        return together(texts_of(self._template))

    @cached_property
    def _needs_persona(self) -> bool:
        told = "persona" in self._used and "persona" not in self._template.over
        return told or any(entry.rule == "no_persona_echo" for entry in self._template.validity)

    @cached_property
    def columns_used(self) -> dict[str, tuple[str, ...]]:
        """The columns that prompts use, by table."""
        own = [name for name in self._used if name in self.read.polars and name not in self._template.over]
        if self.read.key == "persona_id" and self._needs_persona:
            own.append("text")
        used = {self.read.name: tuple(dict.fromkeys(own))}
        return used | {name: columns for name, (_, columns) in self.reading.ancestors.items()}

    # Questions

    def asks_of(self, row: Row) -> list[Ask]:
        """The questions about a row, or about the rows of a group; none where `keep_if` lets no combination pass."""
        if self._group:
            return self._asks_of_group(row["rows"])
        table, key = self._key
        row_id = str(row[key])
        about = ((table, row_id),)
        if not self._several:
            return [Ask(row, {}, 0, about)] if self._is_asked(row_id, {}) and self._keeps(row, {}) else []
        asks = []
        for over in self._combinations(row_id):
            if not (self._is_asked(row_id, over) and self._keeps(row, over)):
                continue
            fill: dict[str, Json] = {"over": over} if over else {}
            asks += [
                Ask(row, fill, attempt, about, self._question_id(row_id, over, attempt))
                for attempt in range(self._attempts(row))
            ]
        return asks

    def _combinations(self, row_id: str) -> Iterator[dict[str, Json]]:
        """The values of `over` that a row is asked with, crossed."""
        found: list[dict[str, Json]] = [{}]
        for name in self._template.over:
            found = [{**one, name: label} for one in found for label in self._drawn(name, row_id, one)]
        yield from found

    def _asks_of_group(self, rows: Any) -> list[Ask]:  # noqa: ANN401 - rows, from the JSON values of an ask
        assert self._group
        ids = digest(canonical_json([row[self._key[1]] for row in rows]))
        return [
            self.asked_together(in_order(rows, self._key[1], self._group, attempt), over, attempt)
            for over in self._combinations(ids)
            for attempt in range(self._attempts({}))
        ]

    def asked_together(self, rows: Sequence[Row], over: Mapping[str, Json], attempt: int) -> Ask:
        """The question about several rows, in the order in which it shows them."""
        assert self._group
        table, key = self._key
        ids = [str(row[key]) for row in rows]
        row: Row = {name: rows[0][name] for name in self._group.by} | {ROWS: list(rows)}
        fill: dict[str, Json] = {"over": over} if over else {}
        question = make_id("qst", self._template.name, sorted(ids), dict(over), attempt)
        items = tuple(self._question_id(one, over, attempt) for one in ids) if self._group.item else ()
        return Ask(row, fill, attempt, tuple((table, one) for one in ids), question, items)

    @cached_property
    def _key(self) -> tuple[str, str]:
        """The table that is read, and its key."""
        return self.read.name, self.read.key

    @cached_property
    def _several(self) -> bool:
        return self._template.several

    def _attempts(self, row: Row) -> int:
        """How often a row is asked about with each combination of values: 0 to `MOST_ATTEMPTS`."""
        attempts = self._template.attempts
        if not isinstance(attempts, ByColumn):
            return attempts
        wanted = row.get(attempts.column)
        return min(max(wanted, 0), MOST_ATTEMPTS) if isinstance(wanted, int) else 0

    def _question_id(self, row_id: str, over: Mapping[str, Json], attempt: int) -> str:
        told = self._template.told_over(over)
        if not (told or attempt):  # the question that there is without `attempts`
            return row_id
        return make_id("qst", self._template.name, row_id, told, attempt)

    def _is_asked(self, row_id: str, over: Mapping[str, Json]) -> bool:
        """Whether a row is among the share of rows that are asked about with these values; more take in fewer."""
        if self._asks_all:
            return True
        shares = [self._template.share, *self._shares(over)]
        return min(shares) >= 1 or self._place(row_id) < min(shares)

    @cached_property
    def _asks_all(self) -> bool:
        """Whether no share leaves a row out, with any value."""
        return self._template.share >= 1 and not any(over.shares for over in self._template.over.values())

    def _shares(self, over: Mapping[str, Json]) -> Iterator[float]:
        for name, label in over.items():
            yield self._template.over[name].shares.get(str(label), 1.0)

    def _place(self, row_id: str) -> float:
        """Where a row stands among all, from 0 to 1."""
        return int(digest(canonical_json([self._template.name, row_id]))[:13], 16) / 16**13

    def _drawn(self, name: str, row_id: str, before: Mapping[str, Json]) -> list[str | int]:
        """The values of `over` that a row is asked with beside those `before`, in the order of the file.

        Those that are drawn have the lowest digests of row and value, so that another value changes few draws.
        """
        draw, labels = self._template.over[name].draw, self._template.labels(name, before)
        if draw is None or draw >= len(labels):
            return labels
        drawn = heapq.nsmallest(draw, labels, key=lambda label: digest(canonical_json([row_id, name, label])))
        return [label for label in labels if label in drawn]

    @cached_property
    def _keeps_all(self) -> bool:
        """Whether the parameters alone say that all rows are asked about: no row has to be looked at then."""
        if not self._template.keep_if:
            return True
        try:
            return bool(self._expression(**self._template.params))
        except _CANNOT_BE_TOLD:
            return False

    def _keeps(self, row: Row, over: Mapping[str, Json]) -> bool:
        if self._keeps_all:
            return True
        values = {**self._template.params, **self._values(row, over, 0)}
        try:
            return bool(self._expression(**values))
        except _CANNOT_BE_TOLD as error:
            said = f"it cannot be told of {row[self.read.key]}: {type(error).__name__}: {error}"
            wrong = self._wrong(("keep_if",), said)
            raise UsageError(f"{self.file}: {wrong}") if self.file else wrong from error

    @cached_property
    def _expression(self) -> Any:  # noqa: ANN401 - what Jinja compiles to
        return ENVIRONMENT.compile_expression(self._template.keep_if, undefined_to_none=False)

    def by_system(self) -> list["TaskStep"]:
        """The step of each system that answers, which asks its questions alone; itself where there are none."""
        template = self._template
        if not template.systems or template.system is not None:
            return [self]
        labels = template.over[template.systems].by_label
        return [
            TaskStep(template.of_system(one), self._tables, self.file, self._own_checks, self._rules, self._held_to)
            for one in labels
        ]

    def answering(self, lake: Lake, key: str) -> list["TaskStep"]:
        """The step of each that answers questions of a partition: of those that its rows name, else as `by_system`."""
        template = self._template
        if not template.answered_by or template.answering is not None:
            return self.by_system()
        column = template.answered_by
        named = lake.scan(self.read, [key]).select(column).unique().collect()[column].to_list()
        found = sorted(filter(None, named), key=canonical_json)
        return [
            TaskStep(template.answered(one), self._tables, self.file, self._own_checks, self._rules, self._held_to)
            for one in found
        ] or [self]

    def asks(self, lake: Lake, key: str) -> Iterator[Ask]:
        """The questions about a partition, in the order of its rows or groups, which are streamed.

        Where it is a system's step, its own.
        """
        name, system, template = self._template.systems, self._template.system, self._template
        for row in self._asked(lake, key):
            if template.answering is not None and row[template.answered_by] != template.answering:
                continue
            asks = self.asks_of(row)
            yield from asks if system is None else (ask for ask in asks if ask.fill["over"][name] == system)

    def _asked(self, lake: Lake, key: str) -> Iterator[Row]:
        """The rows of a partition, or its groups: rows that hold the columns alike, and `rows`."""
        if self._group:
            keeps = None if self._keeps_all else (lambda row: self._keeps(row, {}))
            for rows in groups(lake, self.reading, key, self._group, keeps):
                yield {ROWS: rows}
        else:
            for batch in self.reading.batches(lake, key):
                yield from batch

    def units(self, rows: Sequence[Row]) -> Iterator[Row]:
        """What is asked about where these are all rows, for a plan: rows, or groups of them."""
        if not self._group:
            yield from rows
            return
        for at in range(0, len(rows), self._group.take):
            yield {ROWS: list(rows[at : at + self._group.take])}

    @property
    def selects(self) -> bool:
        """Whether there may be rows about which nothing is asked."""
        return not self._keeps_all or isinstance(self._template.attempts, ByColumn) or self._is_sampled

    @cached_property
    def _is_sampled(self) -> bool:
        """Whether rows are left out by shares: that of the task, or those of all values of a name of `over`."""
        shares = [max(_shares_of(over)) for over in self._template.over.values()]
        return min([self._template.share, *shares]) < 1

    def not_selected(self, lake: Lake, key: str) -> Iterator[Outcome]:
        """The rows of a partition that nothing is asked about, as outcomes without a call."""
        if not self.selects:
            return
        for rows in self.reading.batches(lake, key):
            yield from (self.set_aside(row) for row in rows if not self._is_selected(row))

    def _is_selected(self, row: Row) -> bool:
        return self._keeps(row, {}) if self._group else bool(self.asks_of(row))

    def set_aside(self, row: Row) -> Outcome:
        """The outcome of a row that nothing is asked about."""
        said = f"keep_if: {self._template.keep_if}" if self._template.keep_if else "attempts: none"
        if not self._group and not any(
            self._is_asked(str(row[self.read.key]), over) for over in self._combinations(str(row[self.read.key]))
        ):
            said = f"share: {self._template.share:g}"
        reject = Reject(NOT_SELECTED, said)
        return Outcome(self._asked_of(row), None, Parsed(rejects=[reject]))

    def _asked_of(self, row: Row) -> Ask:
        return Ask(row, {}, 0, ((self.read.name, str(row[self.read.key])),))

    def question_ids(self, lake: Lake, key: str) -> Iterator[list[str]]:
        """What a partition's rows and rejects account for: questions, and rows about which nothing is asked.

        Where each row of a group gets an answer of its own, these are its questions.
        """
        if self._group:
            for row in self._asked(lake, key):
                yield [one for ask in self.asks_of(row) for one in ask.items or (ask.question_id,)]
            yield [outcome.ask.question_id for outcome in self.not_selected(lake, key)]
            return
        for rows in self.reading.batches(lake, key):
            asked = (([ask.question_id for ask in self.asks_of(row)], row) for row in rows)
            yield [one for ids, row in asked for one in ids or [str(row[self.read.key])]]

    # Prompts

    def variables(self, ask: Ask, before: Sequence[Json] = ()) -> dict[str, Json]:
        """The template's variables, from the row, the values asked with and the answers to earlier turns."""
        values = self._values(ask.row, ask.fill.get("over", {}), ask.attempt)
        return values | dict(zip(self._turn_names, before, strict=False)) if before else values

    @cached_property
    def _turn_names(self) -> tuple[str, ...]:
        return self._template.turn_names

    def _values(self, row: Mapping[str, Json], over: Mapping[str, Json], attempt: int) -> dict[str, Json]:
        language = over.get("language", row.get("language"))
        given: dict[str, Json] = {
            "persona": self._persona(row) if self._needs_persona else "",
            "language_name": LANGUAGE_NAMES.get(language, language),
            "pick": self._pick(row) if "pick" in self._used else 0,
            "attempt": attempt,
        }
        given |= row
        for name, up in self._template.with_.items():
            if not up.shown(over):
                given[name] = []
            elif self._group and ROWS in row:  # `keep_if` looks at single rows
                given[name] = self._answers.beside(name, row[ROWS])
        for name in self._template.params:  # those of the file count
            given.pop(name, None)
        if not self._template.over:
            return given
        chosen = {name: self._template.over[name].by_label[label] for name, label in over.items()}
        return given | chosen

    def _pick(self, row: Mapping[str, Json]) -> int:
        own = [one[self._key[1]] for one in row[ROWS]] if self._group else row[self._key[1]]
        return int(digest(canonical_json(own)), 16) % _PICKS

    def _persona(self, row: Mapping[str, Json]) -> str:
        """The text of the row's persona; "" where it came from none."""
        if self._key[1] == "persona_id":
            return str(row["text"])
        above = row.get(_PERSONA)
        return str(above["text"]) if above else ""

    # Answers

    @cached_property
    def _answers(self) -> Answers:
        keys = {name: looking.table.key for name, looking in self.reading.looked_up.items()}
        persona = self._persona if self._needs_persona else lambda _: ""
        return Answers(self._template, self.table, self._key[1], self.checks, keys, persona, self.benchmarks)

    def parse(self, ask: Ask, answer: Json, before: Sequence[Json] = ()) -> Parsed:
        """The samples of the answer, and rejects; see `Answers.parse`."""
        return self._answers.parse(ask, answer, before)


def _usable(table: Table) -> list[str]:
    """The columns that prompts can use: others differ from run to run."""
    return [name for name in table.polars if name not in table.volatile]


def questions_of_a_row(template: Template, by_column: float = 1) -> float:
    """How many questions a row has where `keep_if` lets all of them pass; where a column says how many, as `by_column`.

    Of several rows in one question each has its share.
    """
    count: float = by_column if isinstance(template.attempts, ByColumn) else template.attempts
    count *= template.share
    if template.group:
        count /= template.group.take
    for name, over in template.over.items():
        shares = _shares_of(over)
        count *= (_inner_count(template, name) if over.of else over.draw or len(shares)) * sum(shares) / len(shares)
    return count


def _inner_count(template: Template, name: str) -> float:
    """With how many values of a name with `of` a value of the other is asked, on average."""
    other = template.over[name].of.partition(".")[0]
    counts = [len(template.labels(name, {other: label})) for label in template.over[other].by_label]
    return sum(min(count, template.over[name].draw or count) for count in counts) / len(counts)


def _shares_of(over: Over) -> list[float]:
    """The share of the rows that is asked with each value."""
    return [over.shares.get(str(label), 1.0) for label in over.by_label]
