"""The rules of implementations of tools: code that can be run contained, and calls that fit. Nothing is run here."""

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from persona_assets.ids import Json, canonical_json
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.tool_schemas import UnusableSchema, arguments_in, faults, parameter_of

_SHOWN = 80
_LONGEST = 20_000  # characters of code; a function of a tool has hundreds
_SYNTAX = (3, 11)  # so that the same code parses under any Python
# Fixed, as Python's own list differs by version: what computes, without files, clock, network and processes.
_MODULES = frozenset(
    {
        *("__future__", "abc", "array", "base64", "bisect", "calendar", "cmath", "collections", "colorsys"),
        *("contextlib", "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools"),
        *("graphlib", "hashlib", "heapq", "html", "itertools", "json", "math", "numbers", "operator", "random", "re"),
        *("statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata", "zlib", "numpy", "sympy"),
    }
)
_NOT_CALLED = {
    **dict.fromkeys(("open", "input", "exec", "eval", "compile", "__import__", "breakpoint"), "is not there to call"),
    **dict.fromkeys(("today", "now", "utcnow"), "reads the clock: take the date as an argument"),
    **dict.fromkeys(("urandom", "SystemRandom", "uuid4"), "gives something else each time: take it as an argument"),
}
# Calls of which a constant is made.
_MAKERS = frozenset(
    {
        *("compile", "Decimal", "Fraction", "frozenset", "set", "dict", "tuple", "list", "date", "datetime"),
        *("timedelta", "namedtuple", "TypeVar", "symbols", "Symbol", "Rational", "Integer", "array", "range"),
    }
)
_TOO_DEEP = "is nested too deeply to be read"


@rule(repairs=True)
def valid_implementation(sample: Sample) -> str | None:
    """`code` parses, imports only what is allowed, does nothing by itself and defines the function as it was asked for.

    The function's name and parameters are those of the definition that was asked about, where it is known.
    """
    code = sample.text("code")
    if len(code) > _LONGEST:
        return f"code has {len(code)} characters, more than {_LONGEST}"
    try:
        tree = _parsed(code)
    except SyntaxError as error:
        return f"code does not parse: {str(error.msg)[:_SHOWN]} (line {error.lineno or 1})"
    except ValueError:  # half a character, or a zero byte
        return "code does not parse: it holds a character that no code has"
    except (RecursionError, MemoryError):
        return f"code {_TOO_DEEP}"
    try:
        found = next(_imported(tree), None) or next(_called(tree), None) or next(_at_work(tree), None)
    except RecursionError:
        return f"code {_TOO_DEEP}"
    return found or _function(tree, sample.about)


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an escape that is none: it is the program's
        return ast.parse(code, feature_version=_SYNTAX)


def _imported(tree: ast.Module) -> Iterator[str]:
    """What is wrong with imports."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.level:
                yield f"line {node.lineno} imports from a package that is not there"
            if any(alias.name == "*" for alias in node.names):
                yield f"line {node.lineno} imports *: name what is used"
        for name in names:
            if name.partition(".")[0] not in _MODULES:
                yield (
                    f"line {node.lineno} imports {name[:_SHOWN]}, which is not allowed: use sympy, numpy and what the "
                    "standard library computes with, without files, clock, network and processes"
                )


def _called(tree: ast.Module) -> Iterator[str]:
    """Calls that are not to be made."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        own = isinstance(node.func, ast.Name)
        if name in _NOT_CALLED and (own or name not in ("open", "input", "exec", "eval", "compile")):  # re.compile
            yield f"line {node.lineno} calls {name}, which {_NOT_CALLED[name]}"
        elif name == "default_rng" and not node.args and not node.keywords:
            yield f"line {node.lineno} calls default_rng without a seed: give it a fixed one"


def _at_work(tree: ast.Module) -> Iterator[str]:
    """Statements outside of functions that do more than to define something."""
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.ClassDef():
                continue
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case ast.Assign() | ast.AnnAssign() if node.value is None or _is_constant(node.value):
                continue
            case ast.AsyncFunctionDef():
                yield f"line {node.lineno} defines an async function: nothing awaits it"
        yield f"line {node.lineno} does something outside of a function: keep to imports, definitions and constants"


def _is_constant(value: ast.expr) -> bool:
    """Whether an expression computes nothing that takes time."""
    for node in ast.walk(value):
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda | ast.NamedExpr):
            return False
        if isinstance(node, ast.Call) and _name(node.func) not in _MAKERS:
            return False
    return True


def _name(function: ast.expr) -> str:
    """What a call names, without what that is of."""
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _function(tree: ast.Module, about: Mapping[str, Json]) -> str | None:
    """What is wrong with the function, held against its definition."""
    wanted = about.get("function_name")
    if not isinstance(wanted, str):
        return None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == wanted]
    if len(found) != 1:
        return f"code defines {len(found) or 'no'} functions called {wanted[:_SHOWN]}: define it once"
    if any(_rebinds(node, wanted) for node in tree.body):
        return f"code gives {wanted[:_SHOWN]} another value after its definition"
    schema = _schema(about.get("parameters"))
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return None
    required = {parameter_of(name) for name in schema.get("required") or []}
    return _parameters(found[0], [parameter_of(name) for name in properties], required)


def _rebinds(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef):
        return False
    if isinstance(node, ast.ClassDef):
        return node.name == name
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name) == name for alias in node.names)
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node) if _is_stored(one))


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _parameters(function: ast.FunctionDef, wanted: list[str], required: set[str]) -> str | None:
    given = function.args
    if given.vararg or given.kwarg or given.posonlyargs:
        return f"{function.name} is called with named arguments: give it no *, ** or / parameters"
    names = [one.arg for one in (*given.args, *given.kwonlyargs)]
    missing, extra = [name for name in wanted if name not in names], [name for name in names if name not in wanted]
    if missing or extra:
        said = [f"lacks the parameters {', '.join(missing)}"] * bool(missing)
        said += [f"has the parameters {', '.join(extra)} beside"] * bool(extra)
        return f"{function.name} {' and '.join(said)}: take those of the definition"[: 4 * _SHOWN]
    with_default = {one.arg for one in given.args[len(given.args) - len(given.defaults) :]}
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    with_default |= {one.arg for one, default in pairs if default is not None}
    bare = [name for name in wanted if name not in with_default and name not in required]
    return f"{function.name}: {bare[0]} is not required, so give it a default" if bare else None


@rule(repairs=True)
def valid_examples(sample: Sample) -> str | None:
    """`examples` holds calls whose arguments are JSON objects that fit the parameters; no two are the same."""
    examples = sample.content.get("examples")
    seen: set[bytes] = set()
    try:
        fault = faults(_schema(sample.about.get("parameters"))) if sample.about.get("parameters") else None
    except UnusableSchema:
        fault = None  # told where calls are checked: no other example would mend it
    for number, example in enumerate(examples if isinstance(examples, list) else [], 1):
        arguments = arguments_in(example.get("arguments") if isinstance(example, Mapping) else None)
        if arguments is None:
            return f"example {number}: arguments are not the JSON text of an object"
        if fault and (said := fault(arguments)):
            return f"example {number}: arguments do not fit the parameters: {said}"
        written = canonical_json(arguments)
        if written in seen:
            return f"example {number} is the same as one before"
        seen.add(written)
    return None


def _schema(value: Json) -> Mapping[str, Any]:
    """A schema as it stands in a row, as JSON text, or in a file, as an object; empty where it is neither."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, Mapping) else {}
