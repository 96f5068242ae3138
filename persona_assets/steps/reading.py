r"""Reads the one JSON value that an answer holds, as it was meant, where that can be told without asking again.

| seen | what is done |
| --- | --- |
| `<think>...</think>`, prose, a code fence or end tokens around it | it is found; of several the last that fits |
| a raw line break in a string, a trailing comma | read as meant |
| `\frac`, `\(`, `\underline`: TeX whose backslash is not escaped | the backslash stands for itself |
| `\times`, `\nu`, `\rho` | so in maths and beside other such TeX; else tab, newline and return, as in JSON |
| control characters but newline and tab, half a surrogate pair | removed, replaced |
| a list of one object, `"6"` for 6 and 6 for `"6"`, a property too many | as the schema has it |
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from persona_assets.ids import Json
from persona_assets.prompts import Template
from persona_assets.prompts.fields import with_schemas

EMPTY = "it is empty"
NO_VALUE = "there is no JSON value in it"
ONLY_THOUGHT = "it ends within a thought"
TOO_DEEP = "nested too deeply"
UNFIT = "does not fit the schema"
MOST_DEPTH = 200  # what the lake's JSON writer takes is 254
LONGEST_END = 40  # characters of a token that closes an answer
MOST_STARTS = 100  # brackets at which a value is looked for
_THOUGHT = re.compile(r"\s*<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_END = re.compile(r"(?:<\|[a-z_]{1,30}\|>|</s>|<end_of_turn>)\Z", re.IGNORECASE)
_START = re.compile(r"[{\[]")
_STRING_OR_COMMA = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|,(?=\s*[}\]])', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LETTERS = re.compile(r"[A-Za-z]*")
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
_WORD = re.compile(r"[^\W\d_]{4}")
_OPENS, _CLOSES = (r"\(", r"\["), (r"\)", r"\]")
# TeX commands by the letter that is an escape of JSON too.
_TEX = {
    "b": "backslash bar barwedge because begin beta beth between bf big bigcap bigcup bigg biggl biggm biggr bigl bigm "
    "bigoplus bigotimes bigr bigstar bigtriangledown bigtriangleup bigvee bigwedge binom bmatrix bmod bold boldsymbol "
    "bot bowtie box boxed boxminus boxplus boxtimes breve bullet bumpeq",
    "f": "fbox flat footnotesize forall frac frown",
    "n": "nabla natural ncong ne nearrow neg neq nexists ngeq ni nleq nmid not notin nparallel nprec nsim nsubseteq nu "
    "nwarrow",
    "r": "rangle rbrace rbrack rceil rfloor rho right rightarrow rightharpoonup rightleftharpoons rm rtimes rvert",
    "t": "tan tanh tau text textbf textit textrm tfrac theta therefore thickapprox thicksim tilde times to top "
    "triangle triangleleft triangleq triangleright tt twoheadrightarrow",
}
_COMMANDS = {letter: frozenset(names.split()) for letter, names in _TEX.items()}
# What a JSON parser takes otherwise than it was meant; where there is none of it nothing is to be mended.
_SUSPECT = re.compile(
    r"\\(?:[bfr]|u00[01]|u[dD][89a-fA-F]|u(?![0-9A-Fa-f]{4})|[^\"\\/bfnrtu]"
    rf"|(?:{'|'.join(_COMMANDS['n'] | _COMMANDS['t'])})(?![A-Za-z]))|\x7f"
)
_ESCAPED_TEX = re.compile(r"(?<!\\)\\\\[A-Za-z]")
_UNESCAPED_TEX = re.compile(
    rf"(?<!\\)(?:\\\\)*\\(?:[^\"\\/bfnrtu\s]|(?:{'|'.join(_COMMANDS['b'] | _COMMANDS['f'])})(?![A-Za-z]))"
)


def read_json(text: str, template: Template) -> tuple[Json, str, bool]:
    """The value in an answer that fits the template's schema and "", or what there is instead and what is wrong.

    The value is None where there is none at all. Last, whether the answer was taken otherwise than it stands there.
    """
    if text[:1] == "{" and not _may_be_deep(text) and not _is_suspect(text):
        try:
            value = with_schemas(orjson.loads(text), template.schemas) if template.schemas else orjson.loads(text)
            if template.fits(value):
                return value, "", False
        except ValueError:
            pass
    body, problem = without_thought(text)
    if problem:
        return None, problem, False
    found = []
    values = _values(body)
    if any(_depth(value) > MOST_DEPTH for value in values):
        return None, TOO_DEEP, False
    for value in reversed(values):
        clean = with_schemas(_clean(value), template.schemas) if template.schemas else _clean(value)
        found.append(coerced(clean, template.response_schema))
        if template.fits(found[-1]):
            return found[-1], "", True
    return (found[0], UNFIT, False) if found else (None, NO_VALUE, False)


def split_thought(text: str) -> tuple[str, str]:
    """The thought that an answer begins with, and the rest; together they are the text."""
    begins = text.lstrip("\ufeff \t\r\n")
    if begins[:1] != "{":  # what it says may be about such marks
        for last in list(_THOUGHT_ENDS.finditer(text))[-1:]:
            answer = text[last.end() :].lstrip()
            return text[: len(text) - len(answer)], answer
        if _THOUGHT.match(begins):
            return text, ""
    return "", text


def without_thought(text: str) -> tuple[str, str]:
    """What follows a thought, without what closes an answer, and "", or why there is nothing."""
    thought, body = split_thought(text)
    if thought and not body and not _THOUGHT_ENDS.search(thought):
        return "", ONLY_THOUGHT
    body = body.strip().lstrip("\ufeff").strip()
    while end := _END.search(body, max(0, len(body) - LONGEST_END)):
        body = body[: end.start()].rstrip()
    return body, "" if body else EMPTY


def _values(body: str) -> list[Json]:
    """The JSON values of a text that are objects or lists; one that Python cannot take in counts as too deep."""
    found, at = [], 0
    tex = _tex(body)
    for _ in range(MOST_STARTS):
        start = _START.search(body, at)
        if start is None:
            break
        mended = _mended(body[start.start() :], tex)
        try:
            value, end = _DECODER.raw_decode(mended)
        except ValueError:
            at = start.end()
            continue
        except RecursionError:
            return [_BOTTOMLESS]
        found.append(value)
        body, at = mended, end
    return found


def _nested(depth: int) -> Json:
    value: Json = 1
    for _ in range(depth):
        value = [value]
    return value


_BOTTOMLESS = _nested(MOST_DEPTH + 1)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)


# Escapes


def _tex(body: str) -> int:
    """How TeX stands in a text: 0 not at all unescaped, 1 some of it, 2 all of it, so that row breaks are too."""
    if not _UNESCAPED_TEX.search(body):
        return 0
    return 1 if _ESCAPED_TEX.search(body) else 2


def _mended(text: str, tex: int) -> str:
    """A text that begins with a JSON value, with its escapes as they were meant and without trailing commas."""
    return _STRING_OR_COMMA.sub(lambda match: _string(match.group(), tex) if match.group()[0] == '"' else "", text)


def _string(literal: str, tex: int) -> str:
    if "\\" not in literal:
        return literal
    return _ESCAPE.sub(lambda match: _escape(match, literal, tex), literal)


def _escape(match: "re.Match[str]", literal: str, tex: int) -> str:
    """An escape as it was meant: itself, or a backslash that stands for itself."""
    letter, after = match.group(1), match.end()
    if letter == "\\" and tex == 2:
        return r"\\\\"
    if letter in '"\\/':
        return match.group()
    if letter == "u":
        return match.group() if _HEX.match(literal, after) else rf"\\{letter}"
    if letter not in _COMMANDS:
        return rf"\\{letter}"
    rest = _LETTERS.match(literal, after)
    word = letter + (rest.group() if rest else "")
    if word not in _COMMANDS[letter]:
        return match.group()
    if letter in "bf" or literal[after + len(word) - 1 : after + len(word)] == "{":
        return rf"\\{letter}"
    if (tex or _in_maths(literal, match.start())) and not _is_list_letter(word, literal, after):
        return rf"\\{letter}"
    return match.group()


def _is_list_letter(word: str, literal: str, after: int) -> bool:
    """Whether a letter after a line break begins an item, as `e. the fifth`."""
    return len(word) == 2 and literal[after + 1 : after + 2] in (".", ")", "、", "．")


def _in_maths(literal: str, at: int) -> bool:
    """Whether a place is within maths: between two dollar signs and no words, or in an opened bracket of TeX."""
    before, behind = literal[:at], literal.find("$", at)
    if (before.count("$") - before.count(r"\$")) % 2 and behind >= 0:
        within = _COMMAND.sub(" ", literal[before.rfind("$") + 1 : behind])
        return not _WORD.search(within)  # else these are two prices
    return any(before.rfind(opens) > before.rfind(closes) for opens, closes in zip(_OPENS, _CLOSES, strict=True))


def _clean(value: Json) -> Json:
    """A value whose texts hold no control character but newline and tab, and no half of a surrogate pair."""
    if isinstance(value, str):
        if _SURROGATE.search(value):
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n")) if _CONTROL.search(value) else value
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return value


# Depth


def _is_suspect(text: str) -> bool:
    return ("\\" in text or "\x7f" in text) and _SUSPECT.search(text) is not None


def _may_be_deep(text: str) -> bool:
    return text.count("{") + text.count("[") > MOST_DEPTH


def _depth(value: Json) -> int:
    """How deep lists and objects stand in one another."""
    depth, level = 0, [value]
    while level and depth <= MOST_DEPTH:
        inner: list[Json] = []
        for one in level:
            inner += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        depth, level = depth + 1, [one for one in inner if isinstance(one, dict | list)]
    return depth


# Differences that change no meaning


def coerced(value: Json, schema: Mapping[str, Any]) -> Json:
    """A value in the form of a schema, as far as that changes no meaning."""
    kinds = _kinds(schema)
    if isinstance(value, list) and len(value) == 1 and kinds == {"object"} and isinstance(value[0], dict):
        value = value[0]
    if isinstance(value, dict) and "object" in kinds:
        parts = schema.get("properties", {})
        if schema.get("additionalProperties") is False:
            value = {name: part for name, part in value.items() if name in parts}
        found = {name: coerced(part, parts[name]) if name in parts else part for name, part in value.items()}
        for name in schema.get("required", ()):  # what may be null and was left out is null
            if name not in found and "null" in _kinds(parts.get(name)):
                found[name] = None
        return found
    if isinstance(value, list) and "array" in kinds and isinstance(schema.get("items"), Mapping):
        return [coerced(one, schema["items"]) for one in value]
    return _scalar(value, kinds)


def _kinds(schema: object) -> set[str]:
    declared = schema.get("type") if isinstance(schema, Mapping) else None
    return {declared} if isinstance(declared, str) else set(declared or ())


_WHOLE = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?")


def _scalar(value: Json, kinds: set[str]) -> Json:
    if isinstance(value, bool | int | float) and kinds and kinds <= {"string", "null"}:
        return orjson.dumps(value).decode()
    if isinstance(value, str) and kinds and kinds <= {"integer", "number", "null"}:
        text = value.strip()
        if _WHOLE.fullmatch(text):
            return int(text)
        if "number" in kinds and _NUMBER.fullmatch(text):
            return float(text)
    return value
