"""The table of a task: lineage columns, and one column per property of its response schema."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import polars as pl

from persona_assets.errors import WrongKey, did_you_mean
from persona_assets.ids import Json, canonical_json
from persona_assets.lake import Column, Parent, Table
from persona_assets.lake.schemas import ASSET_TABLES, CALL_COLUMNS, RUN_COLUMNS, SAMPLE_COLUMNS
from persona_assets.prompts import Template
from persona_assets.prompts.parsers import RAW
from persona_assets.prompts.template import ROWS, Group
from persona_assets.tasks.groups import SHUFFLE
from persona_assets.tasks.set_checks import OwnCheck, own_gates, set_checks

_COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # lower case, as SQL would take Shard for shard
_LINEAGE = frozenset(
    (
        *(column.name for column in (*SAMPLE_COLUMNS, *CALL_COLUMNS, *RUN_COLUMNS)),
        *("parent_ids", "shown_ids", "question_id", "attempt", "call_ids"),
    )
)
_TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
}
_INT64 = 2**63
TALK = "talk"
UNKNOWN = "unknown"  # of a list of values the one that leaves it open
# What was said, and the other properties of the answer as canonical JSON.
_SAID = pl.Struct({"speaker": pl.String(), "text": pl.String(), "beside": pl.String()})
_LISTS: dict[str, pl.DataType] = {
    "lines": pl.List(pl.String()),
    "dialogue": pl.List(pl.Struct({"speaker": pl.String(), "text": pl.String()})),
    "script": pl.List(pl.Struct({"speaker": pl.String(), "action": pl.String(), "text": pl.String()})),
}


class OutOfRange(ValueError):
    """A number that no 64-bit column holds, or of no row that was shown; `reason` is that of the reject."""

    def __init__(self, said: str, reason: str = "out_of_range") -> None:
        """`said` tells which number."""
        super().__init__(said)
        self.reason = reason


def holds_texts(template: Template) -> bool:
    """Whether a row may hold a text that somebody uses, and not just numbers, as of rows that were shown.

    What is taken raw is there to measure a model by: it may say what a benchmark asks.

    Raises:
        UsageError: as `row_schema`.
    """
    if template.answer and template.answer.parser == RAW:
        return False
    return any(map(_may_be_text, row_schema(template)["properties"].values()))


def _may_be_text(schema: Json) -> bool:
    """Whether a value of a schema may be or hold a text; one that says nothing of its type may."""
    declared = schema.get("type", "string")
    for kind in declared if isinstance(declared, list) else [declared]:
        inner: list[Json] = []
        if kind == "object":
            inner = list(schema.get("properties", {}).values())
        elif kind == "array":
            inner = [schema.get("items", {})]
        if kind == "string" or any(map(_may_be_text, inner)):
            return True
    return False


def row_schema(template: Template) -> dict[str, Json]:
    """The JSON Schema of a row's content: all turns' answers, or an item of a list where `many` names one.

    Raises:
        UsageError: a response schema is not an object with properties, or `many` names no list of objects.
    """
    if template.talk:
        return {"properties": {TALK: {"type": "array", "description": "What was said, in order"}}, "required": [TALK]}
    properties: dict[str, Json] = {}
    required: set[str] = set()
    for turn in template.all_turns():
        schema = turn.response_schema
        found = schema.get("properties")
        if schema.get("type") != "object" or not isinstance(found, dict) or not found:
            raise _wrong(template, _schema_of(turn), "must be of type object and have properties")
        properties |= found
        required = (required - found.keys()) | set(schema.get("required", []))  # the last turn that has it counts
    if not template.many:
        return {"properties": properties, "required": sorted(required)}
    items = _items(template, properties)
    shared = {name: part for name, part in properties.items() if name != template.many}
    both = sorted(set(shared) & set(items["properties"]))
    if both:
        raise _wrong(template, ("many",), f"{both[0]} is a property of the answer and of the items of {template.many}")
    return {
        "properties": {**shared, **items["properties"]},
        "required": sorted((required - {template.many}) | set(items.get("required", []))),
    }


def _wrong(template: Template, place: tuple[str | int, ...], said: str) -> WrongKey:
    return WrongKey(f"task {template.name}", place, said)


def _schema_of(turn: Template) -> tuple[str | int, ...]:
    """Where the response schema of a turn stands in the file."""
    return (*turn.place, "response_schema")


def _place_of(template: Template, name: str) -> tuple[str | int, ...]:
    """Where a property of a row stands in the file."""
    for turn in template.all_turns():
        properties = turn.response_schema["properties"]
        if name in properties:
            return (*_schema_of(turn), "properties", name)
        if name in properties.get(template.many, {}).get("items", {}).get("properties", {}):
            return (*_schema_of(turn), "properties", template.many, "items", "properties", name)
    return ("response_schema",)


def _items(template: Template, properties: Mapping[str, Json]) -> Json:
    last = template.all_turns()[-1].response_schema
    lists = [name for name, part in properties.items() if isinstance(part, Mapping) and part.get("type") == "array"]
    if template.many not in last["properties"] or template.many not in lists:
        said = f"{template.many!r} is no list of the {'last turn' if template.turns else 'answer'}"
        raise _wrong(template, ("many",), f"{said}; {did_you_mean(template.many, lists)}")
    if template.many not in last.get("required", []):
        raise _wrong(template, ("many",), f"the list {template.many} must be required in response_schema")
    items = properties[template.many].get("items")
    is_object = isinstance(items, Mapping) and items.get("type") == "object" and items.get("properties")
    if not is_object:
        raise _wrong(template, ("many",), f"the items of {template.many} must be of type object and have properties")
    return items


def task_table(
    template: Template, tables: Mapping[str, Table] = ASSET_TABLES, own_checks: Mapping[str, OwnCheck] | None = None
) -> Table:
    """The schema of a task's asset; `tables` holds what it reads, `own_checks` the checks that functions do.

    Raises:
        UsageError: it reads what is not there or cannot be read, or its response schema gives no columns.
    """
    read = _read_table(template, tables)
    schema = row_schema(template)
    lineage, parents = _lineage(template, read, tables)
    parents = (*parents, *_cited_parents(template, read, tables, schema["properties"]))
    taken = {column.name for column in (*lineage, *CALL_COLUMNS, *RUN_COLUMNS)}
    columns = []
    for name, part in schema["properties"].items():
        if name in taken:
            kind = "a value of over" if name in template.over else "a lineage column"
            said = f"response property {name!r} is {kind}; name it otherwise"
            raise _wrong(template, _place_of(template, name), said)
        columns.append(_column(template, name, part, name in schema["required"]))
    own = own_checks or {}
    checks = set_checks(template, [*lineage, *columns], own)
    arguments = {name: value for args in checks.values() for name, value in args.items()}
    return Table(
        template.name,
        "sample_id",
        (*lineage, *columns, *CALL_COLUMNS, *RUN_COLUMNS),
        parents,
        partition=read.partition,
        gates=tuple(checks),
        own_gates=own_gates(template, own),
        gate_arguments=canonical_json(arguments).decode(),
        accounts_for="question_id" if template.several else parents[0].column,
        grouped=template.group is not None and not template.group.item,
    )


def _read_table(template: Template, tables: Mapping[str, Table]) -> Table:
    name = template.reads.name
    if name not in tables:
        raise _wrong(template, ("reads",), f"{name} is not an asset; {did_you_mean(name, list(tables))}")
    read = tables[name]
    if read.partition == "dump":
        raise _wrong(template, ("reads",), f"{read.name} is partitioned by dumps, which no task can be")
    if template.group:
        _check_group(template, template.group, read)
    if "language" not in read.polars and "language" not in template.over:
        raise _wrong(template, ("reads",), f"{read.name} has no column language: give `over: {{language: [...]}}`")
    return read


def _check_group(template: Template, group: Group, read: Table) -> None:
    known = [name for name in read.polars if name not in read.volatile]
    for name in [*group.by, *({group.order} - {"", SHUFFLE})]:
        if name not in known:
            place = ("group", "by" if name in group.by else "order")
            raise _wrong(template, place, f"{read.name} has no column {name!r}; {did_you_mean(name, known)}")
    if "language" not in (*group.by, *template.over):
        said = "rows of several languages may stand together: group by language, or give `over: {language: [...]}`"
        raise _wrong(template, ("group", "by"), said)
    if group.item:
        properties = _items(template, template.all_turns()[-1].response_schema["properties"])
        part = properties["properties"].get(group.item)
        if not isinstance(part, Mapping) or part.get("type") != "integer":
            whole = [name for name, one in properties["properties"].items() if one.get("type") == "integer"]
            said = (
                f"{group.item!r} is no whole number of the items of {template.many}; {did_you_mean(group.item, whole)}"
            )
            raise _wrong(template, ("group", "item"), said)


def _cited_parents(
    template: Template, read: Table, tables: Mapping[str, Table], properties: Mapping[str, Json]
) -> tuple[Parent, ...]:
    """The references of the properties that hold numbers of rows shown."""
    found = []
    shown = {name: tables[up.from_.name] for name, up in template.with_.items()} | (
        {ROWS: read} if template.group else {}
    )
    for name, of in template.cites.items():
        if of not in shown:
            raise _wrong(template, ("cites", name), f"no rows are shown as {of}; {did_you_mean(of, shown)}")
        part = properties.get(name)
        item = part.get("items") if isinstance(part, Mapping) and part.get("type") == "array" else part
        if not isinstance(item, Mapping) or item.get("type") != "integer":
            raise _wrong(template, ("cites", name), f"{name} is no property of whole numbers, or of lists of them")
        found.append(Parent(name, (shown[of].name,), shown[of].key, direct=True))
    return tuple(found)


def _lineage(template: Template, read: Table, tables: Mapping[str, Table]) -> tuple[list[Column], tuple[Parent, ...]]:
    """The columns that say what a row came from, and the references in them, the direct one first."""
    columns = {column.name: column for column in SAMPLE_COLUMNS}
    parents = {parent.column: parent for parent in read.parents}
    found: list[Parent] = []
    together = template.group is not None and not template.group.item
    if read.key == "persona_id":
        found.append(Parent("persona_ids", (read.name,), read.key, direct=True))
    elif read.key == "document_id" and not together:
        found.append(Parent("document_id", (read.name,), read.key, direct=True))
    else:
        columns["parent_ids"] = Column("parent_ids", pl.List(pl.String()), f"Rows of {read.name} in the prompt")
        found.append(Parent("parent_ids", (read.name,), read.key, direct=True))
        if persons := parents.get("persona_ids"):
            found.append(Parent("persona_ids", persons.tables, persons.key))
    if read.key != "document_id" and (document := parents.get("document_id")):
        found.append(Parent("document_id", document.tables, document.key))
    if not any(parent.column == "document_id" for parent in found):
        columns["document_id"] = replace(columns["document_id"], nullable=True)
    if "language" not in template.over and any(one.name == "language" and one.nullable for one in read.columns):
        columns["language"] = replace(columns["language"], nullable=True)
    found += _looked_up(template, tables, columns)
    if template.group and template.group.item:
        columns["shown_ids"] = Column("shown_ids", pl.List(pl.String()), "All rows of the question, in its order")
        found.append(Parent("shown_ids", (read.name,), read.key))
    columns |= _asked(template, columns)
    return list(columns.values()), tuple(found)


def _looked_up(template: Template, tables: Mapping[str, Table], columns: dict[str, Column]) -> Iterator[Parent]:
    """The references to rows that are looked up, whose columns are added."""
    for name, up in template.with_.items():
        if up.from_.name not in tables:
            said = f"{up.from_.name} is not an asset; {did_you_mean(up.from_.name, tables)}"
            raise _wrong(template, ("with", name, "from"), said)
        column, above = f"{name}_ids", tables[up.from_.name]
        if not _COLUMN_NAME.fullmatch(column) or column in columns or column in _LINEAGE:
            raise _wrong(template, ("with", name), f"{column} cannot be a column; name it otherwise")
        columns[column] = Column(column, pl.List(pl.String()), f"Rows of {above.name} beside it in the prompt")
        yield Parent(column, (above.name,), above.key, direct=True)


def _asked(template: Template, taken: Collection[str]) -> dict[str, Column]:
    """The columns that say how a row was asked for."""
    columns: dict[str, Column] = {}
    if template.several:
        columns["question_id"] = Column("question_id", pl.String(), "The question that it answers")
    if template.has_attempts:
        columns["attempt"] = Column("attempt", pl.Int32(), "Which of the independent answers, from 0")
    if template.turns:
        columns["call_ids"] = Column("call_ids", pl.List(pl.String()), "Calls of all turns, the last one is call_id")
    for name, over in template.over.items():
        if name == "language":
            continue
        if not _COLUMN_NAME.fullmatch(name) or name in taken or name in _LINEAGE:
            raise _wrong(template, ("over", name), "cannot be a column; name it otherwise")
        kind = pl.String() if isinstance(next(iter(over.by_label)), str) else pl.Int64()
        columns[name] = Column(name, kind, "Value that was asked with", default=over.plain)
    return columns


def _column(template: Template, name: str, part: Json, required: bool) -> Column:
    if not _COLUMN_NAME.fullmatch(name):
        said = f"response property {name!r} cannot be a column: use lower-case letters, digits and _"
        raise _wrong(template, _place_of(template, name), said)
    kind, nullable = _kind(part)
    fallback = f"{name} of the answer" if kind in _TYPES else f"{name} of the answer, as canonical JSON"
    text = part.get("description", fallback) if isinstance(part, Mapping) else fallback
    dtype = list_columns(template).get(name, _TYPES.get(kind, pl.String()))
    return Column(name, dtype, str(text), nullable or not required)


def _kind(part: Json) -> tuple[str, bool]:
    """The one type of a property ("json" where it is none of the plain ones), and whether it may be null."""
    if not isinstance(part, Mapping):
        return "json", True
    values = part.get("enum", [part["const"]] if "const" in part else None)
    if "type" not in part and values is not None:
        kinds = {"string" if isinstance(value, str) else "null" if value is None else "json" for value in values}
    else:
        declared = part.get("type")
        kinds = {declared} if isinstance(declared, str) else set(declared or ("json", "null"))
    plain = kinds - {"null"}
    kind = plain.pop() if len(plain) == 1 else "json"
    return (kind if kind in _TYPES else "json"), "null" in kinds


def may_be_unknown(template: Template) -> dict[str, str | None]:
    """The columns in which a model may leave a thing open, each with the value that says so.

    These are lists of values that have `unknown` among them, and numbers that may be null.
    """
    found: dict[str, str | None] = {}
    for name, part in row_schema(template)["properties"].items():
        kind, nullable = _kind(part)
        if UNKNOWN in (part.get("enum") or ()):
            found[name] = UNKNOWN
        elif nullable and kind in ("integer", "number"):
            found[name] = None
    return found


def list_columns(template: Template) -> dict[str, pl.DataType]:
    """The properties that a parser fills with lists, or that cite rows, as columns; other lists are canonical JSON."""
    found: dict[str, pl.DataType] = {}
    properties = row_schema(template)["properties"] if template.cites else {}
    for name in template.cites:
        is_list = isinstance(properties.get(name), Mapping) and properties[name].get("type") == "array"
        found[name] = pl.List(pl.String()) if is_list else pl.String()
    if template.talk:
        return {TALK: pl.List(_SAID)}
    for turn in template.all_turns():
        kind = _LISTS.get(turn.answer.parser) if turn.answer else None
        if kind is not None:
            found |= dict.fromkeys(turn.response_schema["properties"], kind)
    return found


def kinds_of(template: Template) -> dict[str, str]:
    """How the columns of a content are made of it: a plain type, `list` where it is kept as it is, or `json`."""
    lists = list_columns(template)
    properties = row_schema(template)["properties"]
    return {name: "list" if name in lists else _kind(part)[0] for name, part in properties.items()}


def cells(kinds: Mapping[str, str], content: Mapping[str, Json]) -> dict[str, Json]:
    """The columns of a content that fits its schema; those it lacks are null. `kinds` is that of `kinds_of`.

    Raises:
        OutOfRange: a whole number does not fit into 64 bits.
    """
    return {name: _cell(name, content.get(name), kind) for name, kind in kinds.items()}


def _cell(name: str, value: Json, kind: str) -> Json:
    if value is None or kind in ("string", "list", "boolean"):
        return value
    if kind == "json":
        return canonical_json(value).decode()
    if kind == "number":
        return float(value)
    whole = int(value)  # JSON Schema takes 3.0 for a whole number
    if not -_INT64 <= whole < _INT64:
        raise OutOfRange(f"{name} is {whole}")
    return whole
