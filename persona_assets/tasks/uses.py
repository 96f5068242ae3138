"""What the prompts of a task, its `keep_if` and its rules use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import meta, nodes

from persona_assets.prompts import Template
from persona_assets.prompts.template import ENVIRONMENT

# By name: the columns that are taken of it, or None where it is used as a whole.
Uses = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True)
class Text:
    """A prompt or an expression: where it stands in the task's file, what it uses, and the turns that it may use."""

    place: tuple[str | int, ...]
    uses: Uses
    turns: tuple[str, ...] = ()


def texts_of(template: Template) -> Iterator[Text]:
    """The prompts of all turns, `keep_if`, and the columns of what a row came from that rules look at as `source`.

    What stands in `params` is not among what they use.
    """
    for turn in template.all_turns()[: len(template.talk.speakers) if template.talk else None]:
        above = turn.place
        for number, message in enumerate(turn.messages):
            uses = _uses(message.content, template)
            before = () if template.talk else template.turn_names[: turn.turn]
            yield Text((*above, "messages", number, "content"), uses, before)
    if template.keep_if:
        yield Text(("keep_if",), _uses(f"{{{{ {template.keep_if} }}}}", template))
    for number, rule in enumerate(template.validity):
        table, _, column = str(rule.args.get("source", "")).partition(".")
        if table:
            yield Text(("validity", number, "args", "source"), {table: frozenset({column})})


def together(texts: Iterator[Text]) -> Uses:
    """What some texts use, all in all."""
    found: dict[str, frozenset[str] | None] = {}
    for text in texts:
        for name, columns in text.uses.items():
            before = found.get(name, frozenset())
            found[name] = None if before is None or columns is None else before | columns
    return found


def _uses(content: str, template: Template) -> Uses:
    return {name: columns for name, columns in _all_uses(content).items() if name not in template.params}


@lru_cache(maxsize=1024)
def _all_uses(content: str) -> Uses:
    """What a prompt uses, whoever asks it: to parse it takes milliseconds, and each load asks for it several times."""
    tree = ENVIRONMENT.parse(content)
    names = meta.find_undeclared_variables(tree) - ENVIRONMENT.globals.keys()
    taken: dict[str, set[str]] = {}
    in_parts: set[int] = set()  # names of which a column is taken
    called = {id(call.node) for call in tree.find_all(nodes.Call)}  # as in row.items()
    parts: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    for node in parts:
        column = _column(node)
        if column and isinstance(node.node, nodes.Name) and id(node) not in called:
            in_parts.add(id(node.node))
            taken.setdefault(node.node.name, set()).add(column)
    whole = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load" and id(node) not in in_parts}
    return {name: None if name in whole else frozenset(taken.get(name, ())) for name in names}


def _column(node: nodes.Getattr | nodes.Getitem) -> str:
    """The column in `row.column` and `row["column"]`; "" where it is computed."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else ""
