"""The three ways to prompt a task: with no examples, with some, or with some and whom they were made for (section 3).

A task that has `modes` is asked in those that the settings choose. They become values of `over` called `mode`, so each
is a column and a question of its own. Examples are rows of the data files `demonstrations/<task>.yaml`: for each
question three of those in the row's language, drawn and ordered by the row's id. The people behind them are an asset of
their own, `demonstration_personas`, which a model is asked for once.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.prompts import Template
from persona_assets.prompts.template import MODES, ByColumn, LookUp, MessageTemplate, Mode, Over
from persona_assets.prompts.values import chosen

MODE = "mode"
SYSTEM = "system"  # what a model of several that answer side by side is called in a row
DEMONSTRATIONS = "demonstrations"
DEMONSTRATION_PERSONAS = "demonstration_personas"
DRAWN = 3  # examples in a prompt, as in the paper's figures
EVERY_TASK = "*"
_KINDS = {
    str: "give a text",
    bool: "give true or false",
    int: "give a whole number",
    float: "give a number",
    list: "give a JSON list",
    dict: "give a JSON object",
}


def modes_of(task: Template, wanted: Mapping[str, Sequence[str]]) -> tuple[Mode, ...]:
    """The modes in which a task is asked, its first where it has none of those for every task.

    `wanted` are those of the settings, by task.

    Raises:
        UsageError: a mode is none that the task has.
    """
    chosen = wanted.get(task.name, wanted.get(EVERY_TASK, MODES[:1]))
    for mode in chosen:
        if mode not in task.modes and (task.name in wanted or mode not in MODES):
            known = task.modes if task.name in wanted else MODES
            raise UsageError(f"PERSONA_MODES: {task.name} is asked in no mode {mode}; {did_you_mean(mode, known)}")
    return tuple(mode for mode in task.modes if mode in chosen) or task.modes[:1]


def in_modes(task: Template, modes: Sequence[Mode], shares: Mapping[str, float]) -> Template:
    """The task as it is asked in some of its modes, of each the share of rows that is given."""
    if not task.modes:
        return task
    told: dict[str, Any] = {"values": modes}
    if "zero_shot" in modes:
        told["plain"] = "zero_shot"
    if of_modes := {mode: share for mode, share in shares.items() if mode in modes}:
        told["shares"] = of_modes
    changed: dict[str, Any] = {"over": {**task.over, MODE: Over.model_validate(told)}}
    own_languages = "language" not in task.over
    looked_up = {
        DEMONSTRATIONS: _look_up(DEMONSTRATIONS, task.name, "few_shot", own_languages),
        DEMONSTRATION_PERSONAS: _look_up(DEMONSTRATION_PERSONAS, task.name, "persona_few_shot", own_languages),
    }
    shown = {name: up for name, up in looked_up.items() if set(up.when[MODE]) & set(modes)}
    if shown:
        *before, last = task.messages
        told_with = MessageTemplate(role=last.role, content="".join(_examples()[name] for name in shown) + last.content)
        changed |= {"with_": {**task.with_, **shown}, "messages": (*before, told_with)}
    return task.changed(**changed)


def _look_up(table: str, task: str, mode: Mode, own_languages: bool) -> LookUp:
    on = {"language": "language"} if own_languages else {}
    return LookUp.model_validate({"from": table, "partition": task, "draw": DRAWN, "when": {MODE: [mode]}, "on": on})


@cache
def _examples() -> dict[str, str]:
    """The parts of a prompt that show examples, by the rows that they show."""
    found: dict[str, str] = yaml.safe_load(Path(__file__).with_name("examples.yaml").read_text(encoding="utf-8"))
    return found


def as_asked(declared: Mapping[str, Any], asked: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Tasks as the settings ask them: `modes`, `shares`, `attempts`, `params` and `systems`; functions as they are.

    Raises:
        UsageError: a mode or a parameter is none of the task's, or it cannot be answered by several systems.
    """
    for key in asked["shares"]:
        task, _, mode = key.partition(".")
        if task == EVERY_TASK and mode not in MODES:
            raise UsageError(f"PERSONA_SHARES: {key}: every task has a share by its mode; {did_you_mean(mode, MODES)}")
    return {name: _as_asked(one, asked) if isinstance(one, Template) else one for name, one in declared.items()}


def _as_asked(task: Template, asked: Mapping[str, Mapping[str, Any]]) -> Template:
    modes, shares, params = asked["modes"], asked["shares"], asked["params"]
    of_task = {**_of(EVERY_TASK, shares), **_of(task.name, shares)}
    changed: dict[str, Any] = {}
    if task.name in shares:
        if task.group:
            raise UsageError(f"PERSONA_SHARES: {task.name} is asked about groups of rows, of which there is no share")
        changed["share"] = shares[task.name]
    if attempts := asked["attempts"].get(task.name):
        if task.group or isinstance(task.attempts, ByColumn):
            raise UsageError(f"PERSONA_ATTEMPTS: how often {task.name} asks is for its file to say")
        changed["attempts"] = attempts
    if own := _of(task.name, params):
        for name in own.keys() - task.params.keys():
            raise UsageError(f"PERSONA_PARAMS: {task.name} has no parameter {name}; {did_you_mean(name, task.params)}")
        changed["params"] = {**task.params, **{name: _typed(task, name, value) for name, value in own.items()}}
    if any(over.where for over in task.over.values()):
        raw = {name: over.model_dump(exclude_defaults=True) for name, over in task.over.items()}
        told = chosen(raw, {**task.params, **changed.get("params", {})}, own, task.name)
        changed["over"] = {name: Over.model_validate(one) for name, one in told.items()}
    for name in _of(task.name, shares).keys() - set(task.modes):
        raise UsageError(f"PERSONA_SHARES: {task.name} is asked in no mode {name}; {did_you_mean(name, task.modes)}")
    if systems := asked["systems"].get(task.name):
        if task.systems or task.target or task.answered_by or SYSTEM in task.over:
            raise UsageError(f"PERSONA_SYSTEMS: {task.name} has systems or a target of its own")
        changed["over"] = {
            **changed.get("over", task.over),
            SYSTEM: Over.model_validate({"values": systems, "answers": task.talk.answers if task.talk else "all"}),
        }
    return in_modes(task.changed(**changed) if changed else task, modes_of(task, modes), of_task)


def _typed(task: Template, name: str, given: Any) -> Any:  # noqa: ANN401 - any plain value
    """A parameter's value, of the type that it has in the task's file.

    Raises:
        UsageError: it is of another.
    """
    kind = type(task.params[name])
    if isinstance(given, str) and kind is not str:
        with suppress(ValueError):
            given = json.loads(given)
    if type(given) is kind or (kind is float and type(given) is int):
        return given
    raise UsageError(
        f"PERSONA_PARAMS: {task.name}.{name} is {given!r}, and {task.params[name]!r} in its file: {_KINDS[kind]}"
    )


def _of(task: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is given for `<task>.<name>`, by name."""
    return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{task}.")}
