"""How an answer that is not the model's JSON is read.

A plain text is read into the one property that the response schema of such a task has. A score is the engine's own: the
log-probability of the last message.

| parser | the answer | the property |
| --- | --- | --- |
| `text` | any text | that text |
| `raw` | any text, empty ones too | it as it is |
| `lines` | one item a line; numbers and bullets before an item are left out | a list of texts |
| `dialogue` | `Name: what is said` a line; one without a name goes on | a list of `speaker` and `text` |
| `script` | `Name (speaking): words`, or `(thinking)`; see `scripts` | a list of `speaker`, `action` and `text` |
| `score` | canonical JSON | `logprob` and `tokens`: the sum of the log-probabilities, and the number of tokens |

An answer that nothing can be read out of is not repaired: a repair asks for JSON.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from persona_assets.prompts.scripts import script

_BULLET = re.compile(r"^\s*(?:[-*•·](?=\s)|\(?\d{1,3}[.)、:：](?!\d)|[①-⑳])\s*")
_SPEAKER = re.compile(r"^\s*\**([^:：*\n]{1,60}?)\**\s*[:：]\**\s*(.*)$")
_FENCE = re.compile(r"^```\w*\n(.*?)\n?```$", re.DOTALL)


def text(answer: str) -> str:
    """The whole answer, without white space around it."""
    return answer.strip()


def raw(answer: str) -> str:
    """The answer as the model gave it: for who is measured by it, and not for those who use it."""
    return answer


def lines(answer: str) -> list[str]:
    """The lines that are not empty, without what numbers them."""
    found = (_BULLET.sub("", line).strip() for line in _unfenced(answer).splitlines())
    return [line for line in found if line]


def dialogue(answer: str) -> list[dict[str, str]]:
    """What each speaker says, in turn; lines before the first name are left out."""
    said: list[dict[str, str]] = []
    for line in _unfenced(answer).splitlines():
        match = _SPEAKER.match(line)
        if match:
            said.append({"speaker": match.group(1).strip(), "text": match.group(2).strip()})
        elif said and line.strip():
            said[-1]["text"] = f"{said[-1]['text']}\n{line.strip()}".strip()
    return said


def _unfenced(answer: str) -> str:
    match = _FENCE.match(answer.strip())
    return match.group(1) if match else answer


PARSERS: Mapping[str, Callable[[str], Any]] = {
    **{"text": text, "raw": raw, "lines": lines},
    **{"dialogue": dialogue, "script": script},
}
_ITEMS = {"dialogue": ("speaker", "text"), "script": ("speaker", "action", "text")}
RAW = "raw"  # the parser whose answers may be empty
SCORE = "score"  # the parser whose answers are scores; read as the JSON that they are
_SCORED = {"logprob": "number", "tokens": "integer"}


def continuation_fault(roles: Sequence[str]) -> str:
    """What keeps messages of these roles from being scored, in words; "" where nothing does."""
    if len(roles) > 1 and roles[-1] == "assistant":
        return ""
    found = "it is the only one" if len(roles) == 1 else f"its role is {roles[-1]}"
    return f"the parser score scores the last message: one of the role assistant, after others ({found})"


def fault_of(parser: str, schema: Mapping[str, Any]) -> str:
    """What keeps a parser from filling a response schema, in words; "" where nothing does."""
    properties = schema.get("properties", {})
    if parser == SCORE:
        types = {name: part.get("type") if isinstance(part, Mapping) else None for name, part in properties.items()}
        fits = types == _SCORED
        return (
            "" if fits else "the parser score gives logprob, a number, and tokens, an integer: declare just these two"
        )
    if len(properties) != 1:
        return f"an answer read by the parser {parser} has one property; response_schema has {len(properties)}"
    [(name, part)] = properties.items()
    wanted = "string" if parser in ("text", RAW) else "array"
    if part.get("type") != wanted:
        return f"the parser {parser} gives a value of type {wanted}: declare {name} so in response_schema"
    items = part.get("items", {})
    if (told := _ITEMS.get(parser)) and set(items.get("properties", {})) != {*told}:
        *first, last = told
        return f"the parser {parser} gives objects of {', '.join(first)} and {last}: declare the items of {name} so"
    return ""
