"""Reads answers: JSON that fits its schema, or words on what is wrong with it, for a repair call to show the model.

| what is wrong | the repair shows |
| --- | --- |
| the form alone | the schema, the answer and the problem |
| something is missing | the question again, the same bytes, then the answer and the problem |
| a rule refuses it that a repair may mend | the same |
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jsonschema
import orjson

from persona_assets.engines import base
from persona_assets.engines.base import Failure, Result
from persona_assets.ids import Json, canonical_json
from persona_assets.prompts import Message, Template, load_template
from persona_assets.prompts.parsers import PARSERS, RAW
from persona_assets.prompts.template import PROMPTS
from persona_assets.steps.model import Answered, Ask, Parsed, Reject, Step
from persona_assets.steps.reading import TOO_DEEP, UNFIT, read_json, split_thought, without_thought

REPAIR = load_template(PROMPTS / "repair.yaml")
# Of a later turn, where the question is not the first message.
REPAIR_TURN = load_template(PROMPTS / "repair_turn.yaml")
REPAIR_FORM = load_template(PROMPTS / "repair_form.yaml")
REPAIRS = (REPAIR, REPAIR_TURN, REPAIR_FORM)
# What a schema asks for beyond what the answer holds: to give it, a model has to see the question again.
_OF_CONTENT = frozenset({"required", "dependentRequired", "minItems", "minLength", "minProperties", "contains"})
# Finish reasons under which an answer cannot be used unless it fits all the same; asking again would end as it did.
UNUSABLE = {"length": "truncated", "content_filter": "refused", "refusal": "refused"}
TRUNCATED_THOUGHT = "truncated_thought"
_SHOWN = 200  # characters of what a problem quotes
_BRACKET = re.compile(r"[{\[]")


class Read(NamedTuple):
    """The JSON value in an answer and "", or None and what is wrong with it, in words of our own.

    `coerced` says that the value is not what stands there, but what was meant; see `reading`.
    """

    value: Json
    problem: str = ""
    coerced: bool = False


def read(text: str, template: Template) -> Read:
    """What an answer holds."""
    if template.answer and not template.scores:
        return _read_text(text, template)
    value, problem, coerced = read_json(text, template)
    if problem == UNFIT:
        return Read(None, _problem(template.validator.iter_errors(value)))
    return Read(None, f"not JSON: {problem}") if problem else Read(value, coerced=coerced)


def read_answer(text: str, template: Template) -> tuple[Json, str]:
    """The value of an answer, and what is wrong with it; see `Read`."""
    value, problem, _ = read(text, template)
    return value, problem


def settled(result: Result, template: Template) -> Result:
    """A result as the ledger keeps it: thought and answer told apart, and the answer taken from where it is.

    Where a server gave a thought and no answer, that is the answer if one can be read out of it, unless it was cut off
    or refused; else there is none, as where it gave nothing.
    """
    if isinstance(result, Failure) or template.scores:
        return result
    thought, text = split_thought(result.text)
    if text.strip() or not result.thought or result.finish_reason in UNUSABLE:
        return replace(result, text=text, thought=result.thought + thought) if thought else result
    if template.answer is None and not read_answer(result.thought, template)[1]:
        return replace(result, text=result.thought, thought="")
    return Failure(result.call_id, base.EMPTY, "the answer is a thought and nothing else", result.faults)


def _read_text(text: str, template: Template) -> Read:
    assert template.answer
    [name] = template.response_schema["properties"]
    is_raw = template.answer.parser == RAW
    body, problem = (text, "") if is_raw else without_thought(text)
    value = None if problem else PARSERS[template.answer.parser](body)
    if not value and not is_raw:
        return Read(None, f"nothing can be read out of it by the parser {template.answer.parser}")
    if template.fits({name: value}):
        return Read({name: value})
    return Read(None, _problem(template.validator.iter_errors({name: value})))


def repairable(template: Template, finish_reason: str, problem: str = "") -> bool:
    """Whether a model is asked once more after an answer that cannot be read: not where it is text or a score.

    Nor after one that was cut or refused, or that nests deeper than anything that was asked for.
    """
    return template.answer is None and finish_reason not in UNUSABLE and TOO_DEEP not in problem


def _problem(errors: Iterable[jsonschema.ValidationError]) -> str:
    """The first thing that is wrong, in words of our own: they are part of a repair's prompt, and so of its key."""
    error = min(errors, key=lambda error: (str(error.json_path), str(error.validator)), default=None)
    if error is None:
        return "$: does not fit the schema"
    keyword = str(error.validator)
    wanted: Any = error.validator_value
    found: Any = error.instance
    if keyword == "required":
        said = "lacks " + ", ".join(name for name in wanted if name not in found)
    elif keyword == "additionalProperties" and isinstance(error.schema, dict):
        known = error.schema.get("properties", {})
        said = "has properties that are not allowed: " + ", ".join(sorted(set(found) - set(known)))
    elif keyword == "type":
        said = f"is not of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    else:
        said = f"breaks {keyword} {orjson.dumps(wanted).decode()}"
    return f"{error.json_path}: {said}"[:_SHOWN]


def parse_call(step: Step, ask: Ask, call: Answered, before: Sequence[Json] = ()) -> Parsed:
    """What a stored answer of the last turn holds: rows and rejects, or one reject where it cannot be read.

    `before` are the answers to the turns before it.
    """
    template = step.turns[len(before)]
    value, problem = read_answer(call.answer, template)
    return refused(template, call, problem) if problem else step.parse(ask, value, before)


def refused(template: Template, call: Answered, problem: str) -> Parsed:
    """The reject of a question whose answer cannot be read.

    Its reason is `truncated`, `truncated_thought` (cut off before the answer began), `refused`, `too_deep` or
    `parse_failure`.
    """
    reason = "too_deep" if TOO_DEEP in problem else UNUSABLE.get(call.finish_reason, "parse_failure")
    if reason == "truncated" and without_thought(call.answer)[1]:
        return set_aside(template, TRUNCATED_THOUGHT, f"cut at {call.tokens_out} tokens, before the answer began")
    if reason == "truncated":
        return set_aside(template, reason, f"cut at {call.tokens_out} tokens; {problem}")
    if reason == "refused":
        return set_aside(template, reason, f"{call.finish_reason}: {call.answer[:_SHOWN]}")
    return set_aside(template, reason, problem)


def set_aside(template: Template, reason: str, detail: str) -> Parsed:
    """The reject of a question as a whole; where there are several turns, it names the one that went wrong."""
    return Parsed(rejects=[Reject(reason, f"turn {_name(template)}: {detail}" if template.turns else detail)])


def _name(template: Template) -> str:
    return f"{template.turn + 1} ({template.voice})" if template.talk else template.turn_name


def repair_templates(turn: int) -> tuple[Template, Template]:
    """The templates of repairs of a turn's answer: with the question, and of form alone."""
    return (REPAIR_TURN if turn else REPAIR), REPAIR_FORM


def repair_template(answer: str, template: Template) -> Template:
    """The template of the repair of an answer: of form where the answer holds what was asked for."""
    with_question, of_form = repair_templates(template.turn)
    value, problem, _ = read_json(answer, template)
    if problem == UNFIT:
        lacks = any(error.validator in _OF_CONTENT for error in template.validator.iter_errors(value))
        return with_question if lacks else of_form
    return of_form if problem and _BRACKET.search(without_thought(answer)[0]) else with_question


def repair_messages(
    repair: Template, template: Template, call_id: str, asked: Sequence[Message], answer: str, problem: str
) -> list[Message]:
    """The messages of a repair call of a question: its call, its messages, and `template`, that of its turn."""
    schema = canonical_json(template.asked_schema).decode()
    messages = repair.render({"call": call_id, "answer": answer, "problem": problem, "schema": schema})
    return [*asked, *messages] if messages[0]["role"] == "assistant" else messages


def mended(call: Answered, problem: str, repair: Answered, template: Template) -> Answered:
    """The call that counts of a question whose answer was repaired, where `problem` is why it could not be read.

    That is the repair, but for one that cannot be read after an answer that could: a rule has refused that one.
    """
    return call if not problem and read_answer(repair.answer, template)[1] else repair
