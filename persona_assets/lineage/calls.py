"""The audit of one call: its prompt renders again, its key recomputes, its answer parses into the row again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from persona_assets.engines.base import ModelIdentity, Sampling, call_key
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.schemas import RUN_COLUMNS
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage.find import Finder, Found
from persona_assets.lineage.model import CallRecord, Status, Verification, failed, unverified, verdict
from persona_assets.lineage.steps import Asked, Steps, ask_again, asked_alike, asked_row, asked_together
from persona_assets.lineage.verify import Seals, differences
from persona_assets.prompts import Message, Template
from persona_assets.steps.answers import repair_messages
from persona_assets.steps.model import Step, refs_of
from persona_assets.steps.questions import Answer, talked
from persona_assets.steps.runner import Answered, Ask, Outcome, outcome_frames, parse_call, read_answer
from persona_assets.tasks.step import TaskStep

_RUN = frozenset(column.name for column in RUN_COLUMNS)
# What a step or a template may raise on values that were tampered with.
MALFORMED = (PersonaAssetsError, KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What was asked: the messages, the template as the ledger keeps it, the question, and the turns before.

    `asked` are the messages without an answer that a repair showed.
    """

    messages: list[Message]
    template: Template
    ask: Ask
    before: tuple[Answer, ...] = ()
    asked: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class _About:
    """What is known of a call's question: the row, its id, the rows shown, the calls of the turns before, its turn."""

    parent: Found | None
    question_id: str = ""
    shown: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    turn: int | None = None


class CallAuditor:
    """Audits the calls of one lake."""

    def __init__(self, finder: Finder, steps: Steps, seals: Seals) -> None:
        """Bind to a lake's rows, the steps of this installation and the file seals."""
        self.finder, self.steps, self.seals = finder, steps, seals
        self.ledger = Ledger(finder.lake)
        self._template = cache(self.ledger.template)  # many calls of an audit have one template

    def record(
        self,
        found: Found,
        parent: Found | None,
        question_id: str = "",
        before: Sequence[str] = (),
        shown: Sequence[str] = (),
    ) -> tuple[CallRecord, Prompt | None]:
        """The call with its verifications, and its prompt where it renders.

        `parent` is the row that it asked about, or one of those `shown`, `question_id` the question and `before` the
        calls of the turns before it, where they are known. Where not, they are those that the call names: those of the
        first question that it was made for, as others may share a turn that shows no history.
        """
        return self._record(found, _About(parent, question_id, tuple(shown), tuple(before)))

    def _record(self, found: Found, about: "_About") -> tuple[CallRecord, Prompt | None]:
        row = found.row
        record = CallRecord(row["call_id"], row, self.seals.relative(found.path))
        record.verifications.append(self.seals.ledger_part(found.path))
        try:
            prompt = self._prompt(record, about)
        except MALFORMED as error:
            record.verifications.append(failed("prompt_renders", _said(error)))
            return record, None
        if prompt is None:
            why = "the row that it asked about is gone"
            record.verifications += [
                unverified("prompt_renders", why),
                unverified("call_key_recomputes", why),
            ]
            return record, None
        record.messages = prompt.messages
        record.verifications += [verdict("prompt_renders", True, ""), _key(row, prompt)]
        record.verifications += self._as_it_says(found, about)
        return record, prompt

    def _as_it_says(self, found: Found, about: "_About") -> list[Verification]:
        """Nothing where a call names the turns before that are known; else whether it follows from those it names."""
        fill = json.loads(found.row["fill"])
        if not about.before or fill.get("after", about.before[-1]) == about.before[-1]:
            return []
        named = f"it names {fill['after']} as the call before it"
        try:
            [(table, row_id), *_] = refs_of(fill)
            first = self.finder.by_id(row_id, found.partition, table)
            told, prompt = self._record(found, _About(first))
        except MALFORMED as error:
            return [failed("call_key_recomputes", f"{named}: {_said(error)}")]
        fails = prompt is None or any(check.status is Status.FAILED for check in told.all_verifications())
        return [failed("call_key_recomputes", f"{named}, from which it does not follow")] if fails else []

    def _prompt(self, record: CallRecord, about: "_About") -> Prompt | None:
        row, parent = record.row, about.parent
        fill: dict[str, Any] = json.loads(row["fill"])
        template = self._template(row["template_digest"])
        if "repair_of" in fill:
            return self._repair(record, fill, template, about)
        if template.turn != (fill.get("turn", 0) if about.turn is None else about.turn):
            raise PersonaAssetsError(f"its template is that of turn {template.turn + 1}, which was not asked here")
        if parent is None:
            return None
        step = self.steps.step_for(row["asset"], template)
        parent_id = str(parent.row[parent.table.key])
        asked = Asked(parent.table.name, parent_id, about.question_id, about.shown, row["attempt"])
        ask = self._ask(step, parent, asked, fill)
        if ask is None:
            return None
        if not template.turn:
            messages = template.render(step.variables(ask))
            return Prompt(messages, template, ask, asked=tuple(messages))
        turn = self._turn_before(record, fill, about, template.turn)
        if turn is None:
            return None
        said = turn.before[-1]
        messages = template.render(step.variables(ask, [answer.value for answer in turn.before]))
        if template.talk:
            messages = talked(template.talk, template.turn, messages, turn.before)
        elif template.history:
            messages = [*turn.asked, Message(role="assistant", content=said.call.answer), *messages]
        return Prompt(messages, template, ask, turn.before, tuple(messages))

    def _ask(self, step: Step, parent: Found, asked: Asked, fill: Mapping[str, Any]) -> Ask | None:
        """The question as it was asked; None where the rows that it was about are not known."""
        if isinstance(step, TaskStep) and step.template.group:
            return asked_together(step, self.finder, parent.partition, asked, fill)
        return ask_again(step, asked_row(step, self.finder.lake, parent), fill, asked.attempt, asked)

    def _turn_before(self, record: CallRecord, fill: Mapping[str, Any], about: "_About", turn: int) -> Prompt | None:
        """The prompt of the turn before, with its answer as the last one of `before`."""
        call_id = about.before[-1] if about.before else str(fill["after"])
        found = self.finder.call(call_id)
        if found is None:
            raise PersonaAssetsError(f"the call {call_id} of the turn before is not in the ledger")
        record.after, asked = self._record(found, replace(about, before=about.before[:-1], turn=turn - 1))
        if asked is None:
            return None
        value, problem = read_answer(found.row["answer"], asked.template)
        if problem:
            raise PersonaAssetsError(f"the answer of the turn before, {call_id}, cannot be used: {problem}")
        return replace(asked, before=(*asked.before, Answer(_answered(found.row), value)))

    def _repair(
        self,
        record: CallRecord,
        fill: Mapping[str, Any],
        template: Template,
        about: "_About",
    ) -> Prompt | None:
        original = self.finder.call(str(fill["repair_of"]))
        if original is None:
            raise PersonaAssetsError(f"the call {fill['repair_of']} that it repairs is not in the ledger")
        if "repair_of" in json.loads(original.row["fill"]):
            raise PersonaAssetsError(f"it repairs {fill['repair_of']}, which is a repair itself")
        record.repair_of, first = self._record(original, about)
        if first is None:
            return None
        answer, problem = original.row["answer"], fill["problem"]
        messages = repair_messages(template, first.template, record.repair_of.call_id, first.messages, answer, problem)
        return replace(first, messages=messages)

    def row_parses(self, found: Found, record: CallRecord, prompt: Prompt) -> list[Verification]:
        """`row_parses_again`: the stored answer gives this row, equal in every column but the run's.

        For a sample also `id_recomputes`: its id covers the answer as it was given, so it is made of that again.
        """
        names = ["id_recomputes", "row_parses_again"] if found.row.get("task") else ["row_parses_again"]
        outcome = self._outcome(record, prompt)
        if isinstance(outcome, str):
            return [failed(name, outcome) for name in names]
        frame, set_aside = outcome_frames(self.steps.step_for(record.row["asset"], prompt.template), [outcome], "", "")
        rows, rejects = frame.to_dicts(), set_aside.to_dicts()
        row = next((row for row in rows if row[found.table.key] == found.row[found.table.key]), None)
        if row is None:
            refused = "".join(f"; refused: {reject['reason']}, {reject['detail']}" for reject in rejects[:1])
            seen = f"the stored answer gives {len(rows)} rows, none of them this one{refused}"
            return [failed(name, seen) for name in names]
        # The template as it was asked, not as this installation has it now.
        asked = {"template": prompt.template.name, "template_version": prompt.template.version}
        content = {name: value for name, value in row.items() if name not in _RUN}
        different = differences(found.row, {**content, **asked}, found.table)
        return [
            *(verdict(name, True, "") for name in names[:-1]),
            verdict("row_parses_again", not different, different),
        ]

    def reject_parses(self, found: Found, record: CallRecord, prompt: Prompt) -> list[Verification]:
        """`row_parses_again` of a rejected row: the stored answer is refused again, for the same reason."""
        name, row = "row_parses_again", found.row
        why = self.steps.changed_since(record.row["asset"], prompt.template)
        if why:
            return [unverified(name, why)]
        step = self.steps.step_for(record.row["asset"], prompt.template)
        for ask in asked_alike(step, prompt.ask):
            outcome = self._outcome(record, replace(prompt, ask=ask))
            if isinstance(outcome, str):
                return [failed(name, outcome)]
            rows, refused = outcome_frames(step, [outcome], "", "")
            if row["row_id"] in rows[step.table.key]:
                return [unverified(name, "the answer gives it; it was refused in comparison with other rows")]
            if (row["row_id"], row["reason"]) in set(refused.select("row_id", "reason").iter_rows()):
                return [verdict(name, True, "")]
        if prompt.before and not prompt.template.history:
            return [unverified(name, "other talks may share its call, and the turns of this one are not known")]
        return [failed(name, f"the stored answer is not refused as {row['reason']} now")]

    def _outcome(self, record: CallRecord, prompt: Prompt) -> Outcome | str:
        """What the stored answer holds, or how it fails to parse."""
        call = _answered(record.row)
        step = self.steps.step_for(record.row["asset"], prompt.template)
        value, problem = read_answer(call.answer, prompt.template)
        answers = [*(answer.value for answer in prompt.before), value]
        if not problem and not step.template.ends(answers):
            return f"turn {len(prompt.before) + 1} of {len(step.turns)} was answered, and gives no row by itself"
        try:
            parsed = parse_call(step, prompt.ask, call, [answer.value for answer in prompt.before])
            return Outcome(prompt.ask, call, parsed, tuple(answer.call for answer in prompt.before))
        except MALFORMED as error:
            return _said(error)


def _answered(row: Mapping[str, Any]) -> Answered:
    return Answered(*(row[name] for name in Answered._fields))


def _key(row: Mapping[str, Any], prompt: Prompt) -> Verification:
    """`call_key_recomputes`: prompt, schema, model and sampling give the call's id, which proves them byte for byte."""
    identity = ModelIdentity(row["model"], row["model_revision"])
    try:
        sampling = Sampling.read(json.loads(row["sampling"]))
        key = call_key(prompt.messages, prompt.template.asked_schema, identity, sampling, row["attempt"])
    except MALFORMED as error:
        return failed("call_key_recomputes", f"sampling {row['sampling']!r}: {_said(error)}")
    seen = f"prompt, schema, model and sampling give {key}: one of them, or the row asked about, was changed"
    return verdict("call_key_recomputes", key == row["call_id"], seen)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if not isinstance(error, PersonaAssetsError) else str(error)
