"""A prompt template: read from YAML, checked, rendered to the same bytes for the same values."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, get_args

import jinja2
import jsonschema
import jsonschema_rs
from jinja2 import StrictUndefined, TemplateError, UndefinedError, nodes
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.prompts.fields import asked_for
from persona_assets.prompts.parsers import SCORE, continuation_fault, fault_of
from persona_assets.prompts.values import NONE, with_inner
from persona_assets.settings import OF_A_MODEL

PROMPTS = Path(__file__).parent
READS = "deduped_personas"  # what a task reads where its file does not say
MOST_ATTEMPTS = 1000
MOST_GROUPED = 1000
MOST_TURNS = 200
ROWS = "rows"  # what a prompt calls the rows of a group
SAMPLING = frozenset({"temperature", "top_p", "max_tokens", "seed"})
# Stands in a score's key for the schema that others ask for, so that it differs from that of a text to these messages.
_SCORE_ASKED = {"answer": SCORE}
# Keys that only tasks have and that shape prompts or rows; a template without them has the digest that it always had.
_TASK_KEYS = (
    "reads",
    "over",
    "attempts",
    "many",
    "keep_if",
    "answer",
    "turns",
    "group",
    "with_",
    "cites",
    "talk",
    "schemas",
    "share",
)
Value = str | int | dict[str, Any]  # of `over`: itself, or a row with an `id`
Share = Annotated[float, Field(ge=0, le=1)]  # of rows
Mode = Literal["zero_shot", "few_shot", "persona_few_shot"]  # how a task is prompted (Persona Hub, section 3)
MODES: tuple[Mode, ...] = get_args(Mode)
MOST_DRAWN = 64  # rows that are drawn for one question
_TAG = re.compile(r"</?([a-z_]+)>")
_TABLE = re.compile(r"[a-z][a-z0-9_]{1,60}")
TALK = "talk"  # role of what stands for a list of messages
_NAMED = re.compile(r"\{\{ ?[a-z][a-z0-9_]* ?\}\}")


class Message(TypedDict):
    """One chat message."""

    role: str
    content: str


class MessageTemplate(BaseModel):
    """One chat message whose content is a Jinja template.

    With the role `talk` it stands for several: `content` is the name of a list of messages, as `{{ before }}`, each of
    which has its own role and content, or null where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Literal["system", "user", "assistant", "talk"]
    content: str

    @field_validator("content")
    @classmethod
    def _parses(cls, content: str) -> str:
        try:
            ENVIRONMENT.parse(content)
        except TemplateError as error:
            raise ValueError(f"{error.message} (line {getattr(error, 'lineno', 1)} of it)") from error
        return content

    @model_validator(mode="after")
    def _is_named(self) -> "MessageTemplate":
        if self.role == TALK and not _NAMED.fullmatch(self.content):
            raise ValueError('a message of the role talk names a list of messages, as content: "{{ before }}"')
        return self

    def messages(self, values: Mapping[str, Any]) -> list[Message]:
        """The messages that it stands for, with `values` filled in.

        Raises:
            TemplateError: it uses a value that is not there.
        """
        if self.role != TALK:
            return [Message(role=self.role, content=_compiled(self.content).render(values))]
        name = self.content.strip("{} ")
        if name not in values:
            raise UndefinedError(f"'{name}' is undefined")
        told = values[name] or ()
        if not all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in told):
            raise UndefinedError(f"'{name}' is no list of messages")
        return [Message(role=one["role"], content=one["content"]) for one in told]


class Rule(BaseModel):
    """A named validity rule of a task and its arguments; of each item of `many`, or of the answer as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    rule: str
    args: dict[str, Any] = Field(default_factory=dict)
    of: Literal["item", "answer"] = "item"


class SetCheck(BaseModel):
    """A named check over all rows of a partition and its arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    check: str
    args: dict[str, Any] = Field(default_factory=dict)


class Over(BaseModel):
    """Values that a task asks with: all of them, or `draw` of them, which follow from the row's id.

    With `answers` they are systems: each value's row names an engine and a model, which answer all turns (`all`), or
    those of one speaker or turn. `plain` is the value whose rows have the ids that there were without these values.
    `shares` says of which share of the rows a value is asked. `of` names a list in the rows of another name's values:
    a value is asked with the ones that its own row holds there. `where` names columns of rows, each with the parameter
    that says which of the values are asked with (`prompts.values`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    values: tuple[Value, ...] = Field(min_length=1)
    draw: int | None = Field(None, ge=1)
    answers: str = ""
    plain: str | int | None = None
    shares: dict[str, Share] = Field(default_factory=dict)
    of: str = ""
    where: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, given: object) -> object:
        given = {"values": given} if isinstance(given, list) else given
        for value in given.get("values") or () if isinstance(given, dict) else ():
            if isinstance(value, bool) or not isinstance(value, str | int | dict):
                raise ValueError(f"a value is a text, a whole number or a row with an id, not {value!r}; quote texts")
        return given

    @model_validator(mode="after")
    def _check(self) -> "Over":
        labels = [label_of(value) for value in self.values]
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise ValueError(f"the value {twice} stands there twice")
        if len({type(label) for label in labels}) > 1:
            raise ValueError("the values are of several types: write all as text, or all as whole numbers")
        if self.draw is not None and self.draw > len(labels):
            raise ValueError(f"draw is {self.draw}, of {len(labels)} values")
        if self.answers and not all(isinstance(value, dict) for value in self.values):
            raise ValueError("with `answers` each value is a row with an id, an engine and a model")
        for key, label in [("plain", self.plain), *(("shares", name) for name in self.shares)]:
            if label is not None and label not in labels:
                raise ValueError(f"{key}: {label} is none of the values; {did_you_mean(str(label), map(str, labels))}")
        return self

    def told(self) -> dict[str, Any]:
        """As the ledger keeps it: without who answers, which the call says and no prompt uses."""
        told = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        if self.answers:
            named = OF_A_MODEL | {"api_key_env"}
            told["values"] = [{key: part for key, part in row.items() if key not in named} for row in told["values"]]
        return told

    @cached_property
    def by_label(self) -> dict[str | int, Value]:
        """The values by what stands for them in a column: themselves, or their `id`."""
        return {label_of(value): value for value in self.values}


def label_of(value: Value) -> str | int:
    """What stands for a value in a column: a row's `id`, else the value.

    Raises:
        ValueError: a row has no `id`.
    """
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("id"), bool) or not isinstance(value.get("id"), str | int):
        raise ValueError(f"a row of values needs an id, text or a whole number: {value}")
    label: str | int = value["id"]
    return label


class Reads(BaseModel):
    """What is asked about: the rows of an asset, or of data files, which become a table of that name.

    `file` is a path or a pattern, from the task file's folder; a partition is a file, a row, or, with `over`, a
    combination of the values that the file lists under that key. `rows` is the key under which the rows stand in a
    file. Columns that `texts` names are kept as JSON text, whatever stands in them, keys in their order. A row of more
    than `most_bytes` is set aside.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: str = Field("", pattern=r"^([a-z][a-z0-9_]{1,60})?$")
    file: str = ""
    rows: str = ""
    partitions: Literal["files", "rows", "over"] = "files"
    texts: tuple[str, ...] = ()
    most_bytes: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, given: object) -> object:
        return {"table": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _check(self) -> "Reads":
        if not (self.table or self.file):
            raise ValueError("names neither a table nor a file")
        if not self.file and (self.rows or self.partitions != "files" or self.texts or self.most_bytes):
            raise ValueError("`rows`, `partitions`, `texts` and `most_bytes` are of data files: name one by `file`")
        if self.file and not _TABLE.fullmatch(self.name):
            raise ValueError(f"{self.name or self.file!r} cannot name a table: name it by `table`")
        return self

    @property
    def name(self) -> str:
        """The name of the table: where it is not given, that of the file, or of its folder where there is a pattern."""
        path = Path(self.file)
        return self.table or (path.parent.name if "*" in path.name else path.stem)


class ByColumn(BaseModel):
    """A number that a column of the row that is asked about gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    column: str


class Group(BaseModel):
    """Several rows in one question: those alike in the columns `by`, `take` at a time, in an order.

    `order` is "" (that of their ids), `shuffle` (another one for each attempt) or a column. `item` is the property of
    the items of `many` that holds the number, from 1, of the row that an item is about.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: tuple[str, ...] = ()
    take: int = Field(ge=1, le=MOST_GROUPED)
    order: str = ""
    item: str = ""


class LookUp(BaseModel):
    """Rows of another table for each row: those whose column `theirs` has the value of the row's column `own`, or all.

    `draw` of them, drawn and ordered by the ids of both; else the first `take` in the order of the column `order`, by
    default that of their ids. `partition`
    is the one partition of a named set that is looked into. With `when` they are shown only with these values of
    `over`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    from_: Reads = Field(alias="from")
    on: dict[str, str] = Field({}, max_length=1)
    take: int | None = Field(None, ge=1)
    order: str = ""
    draw: int | None = Field(None, ge=1, le=MOST_DRAWN)
    partition: str = ""
    when: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _written_on(cls, given: object) -> object:
        """YAML reads a plain `on` as true, where it is a key too."""
        return (
            {"on" if key is True else key: value for key, value in given.items()} if isinstance(given, dict) else given
        )

    @field_validator("on", mode="before")
    @classmethod
    def _same_name(cls, on: object) -> object:
        return {on: on} if isinstance(on, str) else on

    @model_validator(mode="after")
    def _check(self) -> "LookUp":
        if self.draw and self.take:
            raise ValueError("`take` takes the first rows, `draw` draws some: give one of them")
        if self.draw and self.order:
            raise ValueError("rows that are drawn have no `order`: leave it out")
        if not self.on and not self.draw:
            raise ValueError("says neither what the rows are found by, `on`, nor how many to `draw` of all")
        return self

    @property
    def columns(self) -> tuple[str, str]:
        """The row's column, and the one there; "" where all rows are looked up."""
        return next(iter(self.on.items()), ("", ""))

    def told(self) -> dict[str, Any]:
        """As the ledger keeps it: the table by its name."""
        told = self.model_dump(mode="json", exclude_defaults=True, exclude={"from_"})
        return {"from": self.from_.name, **told}

    def shown(self, over: Mapping[str, Any]) -> bool:
        """Whether the rows are shown with these values of `over`."""
        return all(over.get(name) in labels for name, labels in self.when.items())


class Answering(BaseModel):
    """How an answer is read where the model is not to answer with JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    parser: Literal["text", "raw", "lines", "dialogue", "script", "score"]


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"is no JSON Schema: {error.json_path}: {error.message}") from error
    return schema


def _sampling(sampling: dict[str, float]) -> dict[str, float]:
    for name in sampling.keys() - SAMPLING:
        raise ValueError(f"unknown key {name}; {did_you_mean(name, SAMPLING)}")
    return sampling


def is_expression(text: str) -> str:
    """The text, where it is an expression of Jinja or empty.

    Raises:
        ValueError: it is neither.
    """
    try:
        if text:
            ENVIRONMENT.compile_expression(text)
    except TemplateError as error:
        raise ValueError(f"is no expression: {error.message}") from error
    return text


def _answer(answer: Answering | None, info: ValidationInfo) -> Answering | None:
    """That the parser fits the schema and the messages; where one of these is wrong itself, that is told instead."""
    schema, messages = info.data.get("response_schema"), info.data.get("messages")
    if answer is None or schema is None or messages is None:
        return answer
    fault = fault_of(answer.parser, schema)
    if not fault and answer.parser == SCORE:
        fault = continuation_fault([message.role for message in messages])
    if fault:
        raise ValueError(fault)
    return answer


class Turn(BaseModel):
    """A further turn of a task: what is asked once the turns before it are answered.

    With `history` the model sees the turns before it; without, only these messages, which may use the answers by the
    names of their turns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field("", pattern=r"^([a-z][a-z0-9_]{0,40})?$")
    messages: tuple[MessageTemplate, ...] = Field(min_length=1)
    response_schema: dict[str, Any]
    answer: Answering | None = None
    history: bool = True
    sampling: dict[str, float] = Field(default_factory=dict)
    offline: dict[str, Any] = Field(default_factory=dict)

    _schema_is_one = field_validator("response_schema")(_schema)
    _answer_fits = field_validator("answer")(_answer)
    _sampling_is_known = field_validator("sampling")(_sampling)

    @model_validator(mode="after")
    def _check(self) -> "Turn":
        asked = self.messages[:-1] if _is_score(self.answer) else self.messages
        if self.history and any(message.role != "user" for message in asked):
            raise ValueError("a turn with history adds messages of the role user only; or set history: false")
        return self


class Speaker(BaseModel):
    """One side of a talk: its prompt, the form of its answers, and the property of these that the others hear."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    messages: tuple[MessageTemplate, ...] = Field(min_length=1)
    response_schema: dict[str, Any]
    answer: Answering | None = None
    says: str = "say"
    sampling: dict[str, float] = Field(default_factory=dict)
    offline: dict[str, Any] = Field(default_factory=dict)

    _schema_is_one = field_validator("response_schema")(_schema)
    _answer_fits = field_validator("answer")(_answer)
    _sampling_is_known = field_validator("sampling")(_sampling)

    @model_validator(mode="after")
    def _check(self) -> "Speaker":
        properties = self.response_schema.get("properties", {})
        texts = [name for name, part in properties.items() if isinstance(part, dict) and part.get("type") == "string"]
        if self.says not in texts or self.says not in self.response_schema.get("required", []):
            raise ValueError(f"says: {self.says!r} is no required text of the answer; {did_you_mean(self.says, texts)}")
        if any(message.role == "assistant" for message in self.messages):
            raise ValueError("a speaker's prompt has messages of the roles system and user; its answers follow")
        return self


class Talk(BaseModel):
    """Speakers in turn, the first one first, `most` answers in all, or `until` an expression on the last one holds.

    Each sees its own prompt, what the others said as the user, and its own answers whole. `answers` is the speaker whom
    systems that the settings name play, or `all`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    speakers: dict[str, Speaker] = Field(min_length=2)
    most: int = Field(ge=2, le=MOST_TURNS)
    until: str = ""
    answers: str = Field("all", exclude=True)
    base: dict[str, float] = Field({}, exclude=True, description="Sampling of the task; set by it")

    @field_validator("speakers", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        """As the ledger keeps them, whose mappings have no order."""
        if not isinstance(given, list):
            return given
        return {one["name"]: {key: value for key, value in one.items() if key != "name"} for one in given}

    _until_is_one = field_validator("until")(is_expression)

    @model_validator(mode="after")
    def _check(self) -> "Talk":
        for name in self.speakers:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name):
                raise ValueError(f"the speaker {name!r} needs another name: use lower-case letters, digits and _")
        if self.answers not in ("all", *self.speakers):
            raise ValueError(f"answers: {did_you_mean(self.answers, ['all', *self.speakers])}")
        if all(message.role != "user" for message in next(iter(self.speakers.values())).messages):
            raise ValueError("the first speaker's prompt needs a message of the role user, which it answers")
        for part in ENVIRONMENT.parse(f"{{{{ {self.until or 'turn'} }}}}").find_all(nodes.Getattr):
            if isinstance(part.node, nodes.Name) and part.node.name == "answer" and part.attr not in self.properties:
                raise ValueError(f"until: no answer has {part.attr!r}; {did_you_mean(part.attr, self.properties)}")
        return self

    @property
    def properties(self) -> list[str]:
        """The properties that the speakers' answers may have."""
        return [name for one in self.speakers.values() for name in one.response_schema.get("properties", {})]

    def speaker(self, turn: int) -> str:
        """Who speaks in a turn, from 0."""
        return list(self.speakers)[turn % len(self.speakers)]


def _is_score(answer: Answering | None) -> bool:
    return answer is not None and answer.parser == SCORE


class Template(BaseModel):
    """One prompt or task file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,60}$")
    version: int = Field(ge=1)
    kind: Literal["step", "task", "repair"] = "task"
    title: str
    description: str
    messages: tuple[MessageTemplate, ...] = Field(min_length=1)
    response_schema: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict, description="Plain values that the messages may use")
    sampling: dict[str, float] = Field(default_factory=dict, description="Overrides of the sampling settings")
    validity: tuple[Rule, ...] = ()
    set_checks: tuple[SetCheck, ...] = Field((), description="Gates over all rows of a partition")
    target: int | None = Field(None, ge=1, description="Accepted rows to stop at, over all partitions")
    offline: dict[str, Any] = Field(default_factory=dict, description="How the offline engine phrases an answer")
    reads: Reads = Field(Reads(table=READS), description="Table whose rows are asked about")
    over: dict[str, Over] = Field(default_factory=dict, description="Values to ask with, crossed with one another")
    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] | ByColumn = Field(
        1, description="Independent answers to each question: a number, or the column of the row that says how many"
    )
    many: str = Field("", description="Property of the answer that is a list, each item of which becomes a row")
    expects: int | str = Field(
        1, description="Items of `many` that a plan expects of an answer: a number, or the parameter that holds it"
    )
    keep_if: str = Field("", description="Expression that says which rows and values are asked about")
    select: str = Field("", description="View whose rows, or the personas of whose rows, are asked about alone")
    answer: Answering | None = Field(None, description="How an answer that is not JSON is read")
    turns: tuple[Turn, ...] = Field((), description="Further turns, each with a call of its own")
    group: Group | None = Field(None, description="How several rows come into one question")
    with_: dict[str, LookUp] = Field({}, alias="with", description="Rows of other tables, by what a prompt calls them")
    cites: dict[str, str] = Field(
        {}, description="Properties that hold numbers of rows shown, each with the name of those rows"
    )
    talk: Talk | None = Field(
        None, description="Speakers in turn, each with a prompt of its own, in place of `messages`"
    )
    share: Share = Field(1.0, description="Share of the rows that is asked about, which follow from their ids")
    modes: tuple[Mode, ...] = Field(
        (), description="How it can be prompted: with no examples, with some, or with some and whom they were made for"
    )
    schemas: tuple[str, ...] = Field(
        (),
        description="Properties that are JSON Schemas of objects, for each of which the model gives a list of fields",
    )
    answered_by: str = Field(
        "", description="Column of the row that says who answers: a struct with an id, an engine and a model"
    )
    answering: Mapping[str, Any] | None = Field(None, exclude=True, description="Who that is; set by `answered`")
    system: str | int | None = Field(None, exclude=True, description="Value of `over` that answers; set by `of_system`")
    turn: int = Field(0, exclude=True, description="Which turn this is the prompt of; set by `at`")

    _schema_is_one = field_validator("response_schema")(_schema)
    _answer_fits = field_validator("answer")(_answer)
    _sampling_is_known = field_validator("sampling")(_sampling)

    @field_validator("expects")
    @classmethod
    def _expects_a_number(cls, expects: int | str, info: ValidationInfo) -> int | str:
        params = info.data.get("params") or {}
        if isinstance(expects, str) and not isinstance(params.get(expects), int):
            known = [name for name, value in params.items() if isinstance(value, int)]
            raise ValueError(f"no parameter {expects!r} holds a whole number; {did_you_mean(expects, known)}")
        return expects

    @field_validator("schemas")
    @classmethod
    def _schemas_are_properties(cls, schemas: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        properties = (info.data.get("response_schema") or {}).get("properties", {})
        for name in schemas:
            if name not in properties:
                raise ValueError(f"{name!r} is no property of response_schema; {did_you_mean(name, properties)}")
            if properties[name].get("type") != "object":
                raise ValueError(f"a JSON Schema is an object: declare {name} so in response_schema")
        return schemas

    @model_validator(mode="before")
    @classmethod
    def _talk_as_turns(cls, given: Any) -> Any:  # noqa: ANN401 - any YAML
        """A talk is told as the turns that it can have."""
        if not isinstance(given, dict) or given.get("talk") is None:
            return given
        for key in ("messages", "response_schema", "turns", "answer", "many", "cites", "schemas"):
            if key in given:
                raise ValueError(f"with `talk` there is no `{key}`: that of its speakers counts")
        try:
            talk = Talk.model_validate(given["talk"])
        except ValueError:  # told where the field is checked
            return {**given, "messages": ({"role": "user", "content": "."},), "response_schema": {}}
        base = given.get("sampling") or {}
        talk = talk.model_copy(update={"base": base if isinstance(base, dict) else {}})
        first, *turns = [talk.speakers[talk.speaker(turn)] for turn in range(talk.most)]
        told = {name: getattr(first, name) for name in ("messages", "response_schema", "answer", "offline")}
        later = tuple(
            Turn(
                name="",
                messages=one.messages,
                response_schema=one.response_schema,
                answer=one.answer,
                history=False,
                sampling=one.sampling,
                offline=one.offline,
            )
            for one in turns
        )
        return {**given, **told, "sampling": {**talk.base, **first.sampling}, "turns": later, "talk": talk}

    @field_validator("turns")
    @classmethod
    def _no_talk_goes_on_from_a_score(cls, turns: tuple[Turn, ...], info: ValidationInfo) -> tuple[Turn, ...]:
        before = [info.data.get("answer"), *(turn.answer for turn in turns)]
        for number, (answer, turn) in enumerate(zip(before, turns, strict=False), 2):
            if _is_score(answer) and turn.history:
                raise ValueError(
                    f"turn {number} follows one that is scored, which no talk goes on from: history: false"
                )
        return turns

    _keep_if_is_one = field_validator("keep_if")(is_expression)
    _inner_values = field_validator("over", mode="before")(with_inner)

    @model_validator(mode="after")
    def _check(self) -> "Template":
        of_tasks = (*_TASK_KEYS, "select", "answered_by")
        if self.kind != "task" and ({*of_tasks} & self.model_fields_set):
            raise ValueError(f"only a task can have the keys {', '.join(of_tasks)}")
        names = [name for name in self.turn_names if name in self.over]
        names += [name for name in self.turn_names if self.turn_names.count(name) > 1]
        if names:
            raise ValueError(f"the turn name {names[0]} is taken by another turn or a value of `over`")
        if self.group and (self.target or isinstance(self.attempts, ByColumn) or self.share < 1):
            raise ValueError(
                "with `group` there is no `target`, no `share` and no `attempts` by a column: these are of single rows"
            )
        self._check_systems()
        if self.answered_by and (self.systems or self.target or self.group or self.talk):
            raise ValueError("with `answered_by` there are no systems under `over`, no `target`, `group` or `talk`")
        self._check_named()
        if self.modes and (self.talk or self.group):
            raise ValueError("`modes` are of tasks about single rows: with `group` and `talk` there are none")
        if self.group and self.group.item and not self.many:
            raise ValueError("group.item is a property of the items of `many`: name their list")
        if not self.many and any(rule.of == "answer" for rule in self.validity):
            raise ValueError("a rule of the answer as a whole needs `many`; else every rule is")
        return self

    def _check_named(self) -> None:
        for name, over in self.over.items():
            for param in over.where.values():
                if param not in self.params:
                    raise ValueError(f"over.{name}.where: {did_you_mean(param, self.params)}, of `params`")
        for name, up in self.with_.items():
            for other, labels in up.when.items():
                if other not in self.over:
                    raise ValueError(f"with.{name}.when: {did_you_mean(other, self.over)}, of `over`")
                known = self.over[other].by_label
                if missing := [label for label in labels if label not in known]:
                    raise ValueError(f"with.{name}.when.{other}: {missing[0]} is none of the values")

    def _check_systems(self) -> None:
        answering = {name: over.answers for name, over in self.over.items() if over.answers}
        if len(answering) > 1:
            raise ValueError(f"over: only one of {' and '.join(answering)} can answer")
        if answering and self.target:
            raise ValueError("where systems answer there is no `target`: each of them is asked all questions")
        voices = [turn.voice for turn in self.all_turns()]
        for name, which in answering.items():
            if which not in ("all", *voices):
                raise ValueError(f"over.{name}.answers: {did_you_mean(which, dict.fromkeys(['all', *voices]))}")

    def told_over(self, over: Mapping[str, Any]) -> dict[str, Any]:
        """The values of `over` that tell a question's ids from those that there were without such values."""
        return {name: label for name, label in over.items() if label != self.over[name].plain}

    def labels(self, name: str, over: Mapping[str, Any]) -> list[str | int]:
        """The values of a name of `over`, by what stands for them; of one with `of` those of the value in `over`."""
        one = self.over[name]
        if not one.of:
            return list(one.by_label)
        other, _, column = one.of.partition(".")
        row = self.over[other].by_label[over[other]]
        values = row.get(column) if isinstance(row, dict) else None
        return [label_of(value) for value in values or [NONE]]

    @property
    def systems(self) -> str:
        """The name of `over` whose values answer; "" where there is none."""
        return next((name for name, over in self.over.items() if over.answers), "")

    def of_system(self, system: str | int) -> "Template":
        """The same, answered by a value of `over`."""
        return self.model_copy(update={"system": system})

    def answered(self, by: Mapping[str, Any]) -> "Template":
        """The same, of rows that this one answers, as their column says."""
        return self.changed(answering=by)

    @property
    def by(self) -> Mapping[str, Any]:
        """The row of the system that answers this turn; empty where the settings say who does."""
        if self.answering is not None:
            return self.answering
        if self.system is None:
            return {}
        over = self.over[self.systems]
        row = over.by_label[self.system]
        return row if isinstance(row, dict) and over.answers in ("all", self.voice) else {}

    @property
    def turn_names(self) -> tuple[str, ...]:
        """What each turn's answer is called in the turns after it: `turn1`, and the others' names or numbers."""
        return ("turn1", *(turn.name or f"turn{number}" for number, turn in enumerate(self.turns, 2)))

    @property
    def turn_name(self) -> str:
        """The name of this turn."""
        return self.turn_names[self.turn]

    @property
    def voice(self) -> str:
        """What settings call who answers this turn: the speaker, or the turn."""
        return self.talk.speaker(self.turn) if self.talk else self.turn_name

    @property
    def place(self) -> tuple[str | int, ...]:
        """Where this turn's prompt and schema stand in the file."""
        if self.talk:
            return ("talk", "speakers", self.voice)
        return ("turns", self.turn - 1) if self.turn else ()

    def ends(self, answers: Sequence[Any]) -> bool:
        """Whether nothing is asked after these answers, of the turns so far."""
        if len(answers) > len(self.turns):
            return True
        if self.talk is None or not self.talk.until:
            return False
        answer = dict.fromkeys(self.talk.properties) | answers[-1]
        values = {**self.params, "answer": answer, "turn": len(answers)}
        try:
            return bool(_expression(self.talk.until)(**values))
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise UsageError(f"task {self.name}: talk.until: {type(error).__name__}: {error}") from error

    def all_turns(self) -> tuple["Template", ...]:
        """The prompt of each turn: this one, and those of `turns`."""
        return (self, *map(self.at, range(1, len(self.turns) + 1)))

    def at(self, turn: int) -> "Template":
        """The prompt of a turn, from 0; with it the ledger keeps the whole task."""
        if turn == self.turn:
            return self
        asked = self.turns[turn - 1]
        told = {name: getattr(asked, name) for name in ("messages", "response_schema", "answer", "offline")}
        base = self.talk.base if self.talk else self.sampling
        copy = self.changed(**told, sampling={**base, **asked.sampling}, turn=turn)
        copy.__dict__["_whole"] = self
        return copy

    def changed(self, **values: Any) -> "Template":  # noqa: ANN401 - values of fields
        """The same with other values, which are not checked; nothing that was derived of the old ones is kept."""
        copy = self.model_copy(update=values)
        for name in list(copy.__dict__):
            if name not in type(self).model_fields:
                del copy.__dict__[name]
        return copy

    @property
    def whole(self) -> "Template":
        """The task that this is a turn of; itself at the first turn."""
        whole: Template = self.__dict__.get("_whole", self)
        return whole

    @property
    def history(self) -> bool:
        """Whether the model is shown the turns before this one."""
        return self.turn > 0 and self.turns[self.turn - 1].history

    @property
    def items_expected(self) -> int:
        """How many rows a plan expects of an answer whose list `many` names."""
        return int(self.params[self.expects] if isinstance(self.expects, str) else self.expects)

    @property
    def several(self) -> bool:
        """Whether what is asked about may be asked about more than once, or is more than one row."""
        return bool(self.over) or self.has_attempts or (self.group is not None and not self.group.item)

    @property
    def has_attempts(self) -> bool:
        """Whether a question may be asked more than once."""
        return isinstance(self.attempts, ByColumn) or self.attempts > 1

    @cached_property
    def digest(self) -> str:
        """Digest of all that shapes the prompt: messages, parameters and response schema."""
        return digest(canonical_json(self.prompt_part()))

    def prompt_part(self) -> dict[str, Any]:
        """What the digest covers and the ledger keeps, enough to render again."""
        if self.turn:
            return {**self.whole.prompt_part(), "turn": self.turn}
        given: dict[str, Any] = {key: getattr(self, key) for key in _TASK_KEYS if key in self.model_fields_set}
        given = {key: value for key, value in given.items() if value != type(self).model_fields[key].get_default()}
        if self.group:
            given["group"] = self.group.model_dump(mode="json", exclude_defaults=True)
        if given.pop("with_", None):
            given["with"] = {name: up.told() for name, up in self.with_.items()}
        if "reads" in given:
            given["reads"] = self.reads.name
        if isinstance(self.attempts, ByColumn):
            given["attempts"] = self.attempts.model_dump(mode="json")
        if self.over:
            given["over"] = {name: over.told() for name, over in self.over.items()}
        if self.talk:
            talk = self.talk.model_dump(mode="json", exclude={"speakers"})
            hidden = {"offline", "sampling"}
            talk["speakers"] = [
                {"name": name, **one.model_dump(mode="json", exclude=hidden, exclude_none=True)}
                for name, one in self.talk.speakers.items()
            ]
            given = {key: value for key, value in given.items() if key not in ("turns", "answer")}  # told by speaker
            return {"name": self.name, "version": self.version, "params": self.params, **given, "talk": talk}
        if self.turns:
            told = [turn.model_dump(mode="json", exclude={"offline", "sampling"}) for turn in self.turns]
            given["turns"] = [{name: part for name, part in turn.items() if part is not None} for turn in told]
        if self.answer:
            given["answer"] = self.answer.model_dump(mode="json")
        return {
            "name": self.name,
            "version": self.version,
            "messages": [message.model_dump() for message in self.messages],
            "params": self.params,
            "response_schema": self.response_schema,
            **given,
        }

    @classmethod
    def of_prompt_part(cls, part: Mapping[str, Any]) -> "Template":
        """The template that a `prompt_part` was made of, as far as that goes."""
        told = {key: value for key, value in part.items() if key != "turn"}
        return cls(**told, title=told["name"], description="").at(part.get("turn", 0))

    @cached_property
    def asked_schema(self) -> dict[str, Any]:
        """The schema that the model is to keep to: none where its answer is plain text, a mark where it is a score."""
        if self.scores:
            return _SCORE_ASKED
        if self.answer or not self.schemas:
            return {} if self.answer else self.response_schema
        return asked_for(self.response_schema, self.schemas)

    @property
    def scores(self) -> bool:
        """Whether the last message is scored and nothing generated."""
        return _is_score(self.answer)

    @cached_property
    def tags(self) -> frozenset[str]:
        """The section tags (`<document>` ...) that the messages use as delimiters."""
        return frozenset(tag for message in self.messages for tag in _TAG.findall(message.content))

    @cached_property
    def validator(self) -> jsonschema.Draft202012Validator:
        """Validator of the response schema."""
        return jsonschema.Draft202012Validator(self.response_schema)

    @cached_property
    def fits(self) -> Callable[[Any], bool]:
        """Whether a JSON value fits the response schema: `validator`, compiled, which says no more than yes or no."""
        return jsonschema_rs.Draft202012Validator(self.response_schema).is_valid

    @cached_property
    def _delimiter(self) -> re.Pattern[str] | None:
        tags = "|".join(sorted(self.tags))
        return re.compile(rf"<(?=\s*/?\s*(?:{tags})\b)", re.IGNORECASE) if tags else None

    def defused(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with the delimiters of the prompt made harmless wherever they stand in a string."""
        if isinstance(value, str):
            return self._delimiter.sub("‹", value) if "<" in value and self._delimiter else value
        if isinstance(value, list | tuple):
            return [self.defused(item) for item in value]
        if isinstance(value, dict):
            return {key: self.defused(item) for key, item in value.items()}
        return value

    def render(self, variables: Mapping[str, Any]) -> list[Message]:
        """The messages with `variables` filled in. Values cannot close a section: its tags are defused in them.

        Raises:
            UsageError: the template uses a variable that is not given.
        """
        values = {key: self.defused(value) for key, value in {**self.params, **variables}.items()}
        try:
            return [one for message in self.messages for one in message.messages(values)]
        except TemplateError as error:
            raise UsageError(f"template {self.name}: {error}") from error


class _Environment(SandboxedEnvironment):
    """Takes `row.items` for the value of the row, not for what Python calls by that name."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - any JSON value
        """The value under a key where there is one, else what Jinja takes."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


ENVIRONMENT = _Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=1024)
def _expression(text: str) -> Any:  # noqa: ANN401 - what Jinja compiles to
    return ENVIRONMENT.compile_expression(text, undefined_to_none=False)


@lru_cache(maxsize=1024)
def _compiled(content: str) -> jinja2.Template:
    """Jinja compiles anew on each call, which takes a hundred times as long as filling in."""
    return ENVIRONMENT.from_string(content)
