"""What the answers to a task's questions hold: rows, and what is set aside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from persona_assets.contamination.benchmarks import Benchmarks, texts_of
from persona_assets.contamination.overlaps import CONTAMINATED
from persona_assets.ids import Json, canonical_json, make_id
from persona_assets.lake import Table
from persona_assets.prompts import Template
from persona_assets.prompts.template import ROWS, Talk
from persona_assets.rules.sample import Sample
from persona_assets.steps.model import Ask, Parsed, Reject
from persona_assets.tasks.modes import DEMONSTRATION_PERSONAS, DEMONSTRATIONS
from persona_assets.tasks.table import TALK, OutOfRange, cells, kinds_of
from persona_assets.tasks.validity import Check, verdict


class Answers:
    """Reads the answers to a task's questions."""

    def __init__(
        self,
        template: Template,
        table: Table,
        key: str,
        checks: Sequence[Check],
        keys_beside: Mapping[str, str],
        persona: Callable[[Mapping[str, Json]], str],
        benchmarks: Benchmarks | None = None,
    ) -> None:
        """Of the task: its template, table and rules, and of the rows that it asks about the key.

        `keys_beside` are the keys of the tables that rows are looked up in, by what a prompt calls them; `persona`
        gives the text of a row's persona, "" where no rule looks at it; no row may overlap an item of `benchmarks`.
        """
        self._template, self._table, self._key, self._checks = template, table, key, checks
        self._keys_beside, self._persona, self._benchmarks = keys_beside, persona, benchmarks

    def parse(self, ask: Ask, answer: Json, before: Sequence[Json] = ()) -> Parsed:
        """The samples of the answer, and rejects: the first rule that one breaks, `out_of_range`, `contaminated` or
        `repeated`.

        A row's content is what all turns answered, the later ones first; where `many` names a list, each item of it
        with what stands beside the list. Where each item is about one of several rows, also `unknown_<property>` and
        `missing_item`.
        """
        many, talk = self._template.many, self._template.talk
        if talk:
            return self._row(ask, {TALK: _said(talk, [*before, answer])}, None, self._rows_of(ask))
        content = self._together(answer, before) if before else answer
        if not many:
            return self._row(ask, content, None, self._rows_of(ask))
        if self._of_answer and (found := verdict(self._of_answer, self._sample(ask, content))):
            return Parsed(rejects=[Reject(found.reason, found.detail, may_mend=found.may_mend)])
        shared = {name: content[name] for name in self._kinds if name in content and name not in self._of_items}
        if ask.items:
            return self._one_each(ask, content[many], shared)
        parsed, seen = Parsed(), set()
        for position, item in enumerate(content[many]):
            found_row = self._row(ask, {**item, **shared}, position, self._rows_of(ask), content[many][:position])
            row_id = found_row.rows[0]["sample_id"] if found_row.rows else found_row.rejects[0].row_id
            if row_id in seen:
                again = make_id("rec", ask.question_id, position, item)
                parsed.rejects.append(Reject("repeated", f"item {position + 1} stands there before", again))
                continue
            seen.add(row_id)
            parsed.rows += found_row.rows
            parsed.rejects += found_row.rejects
        return parsed

    def _one_each(self, ask: Ask, items: Sequence[Mapping[str, Json]], shared: Mapping[str, Json]) -> Parsed:
        """The samples of an answer whose items are about one row each; every row is kept or set aside."""
        assert self._template.group
        rows, name = ask.row[ROWS], self._template.group.item
        parsed, missing = Parsed(), dict(enumerate(ask.items, 1))
        for position, item in enumerate(items):
            number = int(item[name]) if name in item else 0
            unit = missing.pop(number, None)
            if unit is None:
                known = 1 <= number <= len(rows)
                said = "stands there before" if known else f"none of the {len(rows)} that were shown has it"
                reason = "repeated" if known else f"unknown_{name}"
                again = make_id("rec", ask.question_id, position, item)
                parsed.rejects.append(Reject(reason, f"{name} {number}: {said}", again))
                continue
            row = rows[number - 1]
            found = self._row(replace(ask, question=unit), {**item, **shared}, position, [row])
            parsed.rows += found.rows
            row_id = str(row[self._key])
            parsed.rejects += [replace(reject, row_id=unit, parent_id=row_id) for reject in found.rejects]
        for number, unit in missing.items():
            row_id = str(rows[number - 1][self._key])
            parsed.rejects.append(Reject("missing_item", f"no item has the {name} {number}", unit, row_id))
        return parsed

    def _rows_of(self, ask: Ask) -> Sequence[Mapping[str, Json]]:
        """The rows that a question is about."""
        found: Sequence[Mapping[str, Json]] = ask.row[ROWS] if self._template.group else [ask.row]
        return found

    def _sample(self, ask: Ask, content: Mapping[str, Json]) -> Sample:
        """What the rules of an answer as a whole look at; of a group all its rows, as `rows`."""
        rows = self._rows_of(ask)
        language = ask.fill.get("over", {}).get("language", rows[0].get("language"))
        found = self._sample_of(ask, content, language, rows)
        return replace(found, about={ROWS: list(rows)}) if self._template.group else found

    def _sample_of(
        self,
        ask: Ask,
        content: Mapping[str, Json],
        language: str,
        rows: Sequence[Mapping[str, Json]],
        before: Sequence[Mapping[str, Json]] = (),
    ) -> Sample:
        about = rows[0] if len(rows) == 1 else {}
        return Sample(content, self._persona(rows[0]), language, about, before, self._demonstrations(ask))

    def _demonstrations(self, ask: Ask) -> tuple[str, ...]:
        """The examples that a question shows."""
        if DEMONSTRATIONS not in self._template.with_ and DEMONSTRATION_PERSONAS not in self._template.with_:
            return ()
        rows = self._rows_of(ask)
        plain, with_persona = (
            self._shown_beside(ask, name, rows) if name in self._template.with_ else []
            for name in (DEMONSTRATIONS, DEMONSTRATION_PERSONAS)
        )
        shown = [*plain, *(one[DEMONSTRATIONS] for one in with_persona)]
        return tuple(str(one["answer"]) for one in shown if one)

    @cached_property
    def _of_answer(self) -> tuple[Check, ...]:
        """The rules of an answer as a whole."""
        return self._checks_of("answer")

    def _checks_of(self, what: str) -> tuple[Check, ...]:
        entries = zip(self._template.validity, self._checks, strict=True)
        return tuple(check for rule, check in entries if rule.of == what)

    @cached_property
    def _of_item(self) -> tuple[Check, ...]:
        return self._checks_of("item")

    def _together(self, answer: Mapping[str, Json], before: Sequence[Json]) -> dict[str, Json]:
        """What all turns answered: each property from the last turn whose schema has it, and nowhere else."""
        content = {name: value for name, value in answer.items() if name not in self._of_earlier_turns}
        for own, earlier in zip(self._of_turns, before, strict=False):
            for name in own:
                if name in earlier:
                    content[name] = earlier[name]
        return content

    @cached_property
    def _of_turns(self) -> tuple[tuple[str, ...], ...]:
        """The properties that a row has from each turn: those that the schema of no later one has."""
        schemas = [turn.response_schema["properties"] for turn in self._template.all_turns()]
        return tuple(
            tuple(name for name in own if not any(name in later for later in schemas[number:]))
            for number, own in enumerate(schemas, 1)
        )

    @cached_property
    def _of_earlier_turns(self) -> frozenset[str]:
        return frozenset(name for own in self._of_turns[:-1] for name in own)

    @cached_property
    def _of_items(self) -> frozenset[str]:
        """The properties of the items of `many`."""
        many = self._template.many
        items = self._template.all_turns()[-1].response_schema["properties"][many]["items"] if many else {}
        return frozenset(items.get("properties", ()))

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        return kinds_of(self._template)

    @cached_property
    def _given_names(self) -> frozenset[str]:
        return frozenset({"parent_ids", "shown_ids", "question_id", "attempt"} & set(self._table.polars))

    def _row(
        self,
        ask: Ask,
        content: Mapping[str, Json],
        position: int | None,
        rows: Sequence[Mapping[str, Json]],
        before: Sequence[Mapping[str, Json]] = (),
    ) -> Parsed:
        """One row about some rows, or its reject, which is the question's where the answer is one row.

        `before` are the items that stand before this one in the answer.
        """
        template = self._template
        over = ask.fill.get("over", {})
        language = over.get("language", rows[0].get("language"))
        key = self._key
        own = [str(row[key]) for row in rows]
        asked = [template.name, own, content]
        told = template.told_over(over)
        if told or ask.attempt:
            asked.append({"over": told, "attempt": ask.attempt})
        sample_id = make_id("smp", *asked)
        row_id = None if position is None else sample_id
        try:
            columns = cells(self._kinds, self._cited(ask, content) if template.cites else content)
        except OutOfRange as error:
            return Parsed(rejects=[Reject(error.reason, str(error), row_id)])
        if found := verdict(self._of_item, self._sample_of(ask, content, language, rows, before)):
            return Parsed(rejects=[Reject(found.reason, found.detail, row_id, may_mend=found.may_mend)])
        if self._benchmarks and (overlap := self._benchmarks.seen_in(texts_of(content))):
            return Parsed(rejects=[Reject(CONTAMINATED, overlap.detail, row_id)])
        lineage: dict[str, Json] = {"sample_id": sample_id, "task": template.name, "language": language}
        lineage["persona_ids"] = own if key == "persona_id" else _union(row.get("persona_ids") or () for row in rows)
        lineage["document_id"] = rows[0].get("document_id")
        for name in template.with_:
            key_there = self._keys_beside[name]
            shown = self._shown_beside(ask, name, rows)
            lineage[f"{name}_ids"] = [one[key_there] for one in shown]
        if "parent_ids" in self._given_names:
            lineage["parent_ids"] = own
        if "shown_ids" in self._given_names:
            lineage["shown_ids"] = [row_id for _, row_id in ask.about]
        if "question_id" in self._given_names:
            lineage["question_id"] = ask.question_id
            lineage |= {name: label for name, label in over.items() if name != "language"}
        if "attempt" in self._given_names:
            lineage["attempt"] = ask.attempt
        return Parsed(rows=[{**lineage, **columns}])

    def _cited(self, ask: Ask, content: Mapping[str, Json]) -> dict[str, Json]:
        """A content whose numbers of rows shown are the ids of these.

        Raises:
            OutOfRange: a number is that of none; the reason is `unknown_<property>`.
        """
        found = dict(content)
        for name, of in self._template.cites.items():
            shown, key = self._shown(ask, of)
            numbers = content.get(name)
            if numbers is None:
                continue
            for number in numbers if isinstance(numbers, list) else [numbers]:
                if not 1 <= number <= len(shown):
                    raise OutOfRange(f"{name} {number}: {len(shown)} rows were shown", f"unknown_{name}")
            ids = [str(shown[int(number) - 1][key]) for number in (numbers if isinstance(numbers, list) else [numbers])]
            found[name] = list(dict.fromkeys(ids)) if isinstance(numbers, list) else ids[0]
        return found

    def _shown(self, ask: Ask, name: str) -> tuple[Sequence[Mapping[str, Json]], str]:
        """The rows that a prompt shows under a name, and their key."""
        if name == ROWS:
            return ask.row[ROWS], self._key
        return self._shown_beside(ask, name, self._rows_of(ask)), self._keys_beside[name]

    def _shown_beside(self, ask: Ask, name: str, rows: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
        """The rows that were looked up for some rows, where the question shows them."""
        shown = self._template.with_[name].shown(ask.fill.get("over", {}))
        return self.beside(name, rows) if shown else []

    def beside(self, name: str, rows: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
        """The rows that were looked up for some rows, each once."""
        key = self._keys_beside[name]
        return list({one[key]: one for row in rows for one in row[name]}.values())


def _said(talk: Talk, answers: Sequence[Json]) -> list[dict[str, Json]]:
    """What was said in a talk, and what stood beside it in each answer."""
    found = []
    for turn, answer in enumerate(answers):
        name = talk.speaker(turn)
        says = talk.speakers[name].says
        beside = {key: value for key, value in answer.items() if key != says}
        told = canonical_json(beside).decode() if beside else None
        found.append({"speaker": name, "text": answer[says], "beside": told})
    return found


def _union(ids: Iterable[Iterable[str]]) -> list[str]:
    """Each id once, in the order in which they come."""
    return list(dict.fromkeys(one for some in ids for one in some))
