"""Renders one template for very many questions: Jinja once per form, then only what differs is filled in.

A variable that a template does nothing with but print (a document, a persona) is a *hole*; all other variables, which
may be looped over or computed with, make the *form* of a prompt. A step has few forms and many questions. The bytes are
those of `Template.render`, which stays the reference: an audit uses it, a property test compares the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from jinja2 import meta, nodes

from persona_assets.ids import Hasher, canonical_json, id_hasher
from persona_assets.prompts.template import ENVIRONMENT, TALK, Message, Template

FORMS = 8192  # kept at most; more than the values of `pick` that a task's template may compute with
LONGEST = 4096  # bytes of the values that make a form; longer ones, such as a text that is cut, seldom come twice
_OPEN, _CLOSE = "\ue000", "\ue001"  # around a hole's number; private use, so no template means anything by them


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt: a form and what is filled into its holes."""

    form: "Form"
    values: tuple[str, ...]

    def messages(self) -> list[Message]:
        """The chat messages."""
        return self.form.messages(self.values)

    def key(self, suffix: bytes) -> str:
        """`make_id("call", messages, ...)`, where `suffix` is the canonical JSON of what follows the messages."""
        start, order, pattern = self.form.hashed
        hasher = start.copy()
        # Within a JSON string, so that pieces escaped one by one are what the whole would be escaped to.
        hasher.update(pattern % tuple([orjson.dumps(self.values[hole])[1:-1] for hole in order]))
        hasher.update(suffix)
        return f"call_{hasher.hexdigest()}"


@dataclass(frozen=True)
class Form:
    """What the prompts of one form have in common: messages, in which marks stand for the holes if `marked`."""

    given: list[Message]
    marked: bool

    def _split(self, text: str) -> list[str | int]:
        """Text, hole, text, hole, ..., text."""
        first, *others = text.split(_OPEN) if self.marked else [text]
        pieces: list[str | int] = [first]
        for other in others:
            number, _, following = other.partition(_CLOSE)
            pieces += [int(number), following]
        return pieces

    @cached_property
    def _contents(self) -> list[tuple[str, list[str | int]]]:
        return [(message["role"], self._split(message["content"])) for message in self.given]

    @cached_property
    def hashed(self) -> tuple[Hasher, list[int], bytes]:
        """What hashed all that comes before the first hole, the holes in order, and a %-pattern of the rest."""
        first, *rest = self._split(canonical_json(self.given).decode())
        holes = [piece for piece in rest if isinstance(piece, int)]
        pattern = "".join("%b" if isinstance(piece, int) else piece.replace("%", "%%") for piece in rest)
        return id_hasher(f"[{first}".encode()), holes, pattern.encode()  # the bracket opens the list of a key's parts

    def messages(self, values: Sequence[str]) -> list[Message]:
        """The messages with the holes filled in."""
        return [
            Message(role=role, content="".join([values[p] if isinstance(p, int) else p for p in pieces]))
            for role, pieces in self._contents
        ]


class Renderer:
    """Renders a template; keeps the forms that it met."""

    def __init__(self, template: Template) -> None:
        """Look at the template; nothing is rendered yet."""
        self.template = template
        self.holes, self.others = variables_of(template)
        self._names = [hole for hole in self.holes if "." not in hole]
        self._inner = [(name, key) for name, dot, key in (hole.partition(".") for hole in self.holes) if dot]
        self._plain = _OPEN.encode() not in canonical_json(template.prompt_part())
        self._forms: dict[bytes, Form] = {}
        self._texts: dict[str, str] = {}  # a message that is the same in all forms is kept once

    def prompt(self, variables: Mapping[str, Any]) -> Prompt:
        """The prompt with `variables` filled in.

        Raises:
            UsageError: the template uses a variable that is not given.
        """
        defused = self.template.defused
        try:
            values = tuple([str(defused(variables[name])) for name in self._names])
            if self._inner:
                values += tuple([str(defused(variables[name][key])) for name, key in self._inner])
            key = orjson.dumps([variables[name] for name in self.others])
        except (KeyError, TypeError):  # where Jinja needs it, its error names the variable
            return self._unshared(variables)
        form = self._forms.get(key)
        if form is None:
            if not self._plain or len(key) > LONGEST or _OPEN.encode() in key:
                return self._unshared(variables)
            form = self._keep(key, {name: variables[name] for name in self.others})
        return Prompt(form, values)

    def _keep(self, key: bytes, rest: Mapping[str, Any]) -> Form:
        marks: dict[str, Any] = {name: f"{_OPEN}{number}{_CLOSE}" for number, name in enumerate(self._names)}
        for number, (name, part) in enumerate(self._inner, len(self._names)):
            marks.setdefault(name, {})[part] = f"{_OPEN}{number}{_CLOSE}"
        messages = self.template.render({**rest, **marks})
        for message in messages:
            message["content"] = self._texts.setdefault(message["content"], message["content"])
        if len(self._forms) >= FORMS:
            self._forms.clear()
            self._texts.clear()
        form = self._forms[key] = Form(messages, marked=True)
        return form  # not looked up again: another thread may just have made room

    def _unshared(self, variables: Mapping[str, Any]) -> Prompt:
        return Prompt(Form(self.template.render(variables), marked=False), ())


def variables_of(template: Template) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a template's messages only print, and the other variables that they use; both sorted.

    What is printed is a variable, or a value of one, as `persona` and `raw_documents.text`.
    """
    used: set[str] = set()
    printed: dict[str, set[str]] = {}  # by variable
    more: set[str] = set()  # names that something else than printing is done with
    for message in template.messages:
        tree = ENVIRONMENT.parse(message.content)
        used |= meta.find_undeclared_variables(tree)
        shown = {id(node): node for output in tree.find_all(nodes.Output) for node in output.nodes}
        inner = {id(node.node) for node in shown.values() if isinstance(node, nodes.Getattr)}
        for node in shown.values():
            path = _path(node)
            if path:
                printed.setdefault(path.partition(".")[0], set()).add(path)
        printing = set() if message.role == TALK else {*shown, *inner}
        more |= {node.name for node in tree.find_all(nodes.Name) if id(node) not in printing}
    used -= template.params.keys() | ENVIRONMENT.globals.keys()
    whole = {name for name, paths in printed.items() if name in paths and len(paths) > 1}  # as a whole and in parts
    holes = {path for name, paths in printed.items() if name in used - more - whole for path in paths}
    return tuple(sorted(holes)), tuple(sorted((used & more) | (used & whole)))


def _path(node: nodes.Node) -> str:
    """`name` or `name.key` where that is all that a node is; else ""."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}.{node.attr}"
    return ""
