"""Scripts: what each speaks and thinks in turn, as models write them in plain text.

```
Background: It is raining. Ada waits at the gate.

Ada (thinking): He is late again.
Ada (speaking): You are late.
```

What a model puts around a name (asterisks, numbers, brackets of another kind) is left out. An action may be told in
English, Chinese or Russian; what is none of `SPEAKING`, `THINKING` and `BACKGROUND` stays as it stands there, so that a
rule can refuse it. A line without a name goes on with what was said. The same as JSON, a list of objects or an object
that holds one, is read likewise.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SPEAKING, THINKING, BACKGROUND = "speaking", "thinking", "background"
Said = dict[str, str]
_ACTIONS = {
    SPEAKING: "speaking speaks speak says say said saying aloud 说 说话 说道 开口 говорит сказал сказала вслух говоря",
    THINKING: "thinking thinks think thought 想 心想 思考 内心 内心独白 думает подумал подумала мысли про_себя",
}
_ACTION_OF = {word.replace("_", " "): action for action, words in _ACTIONS.items() for word in words.split()}
_BACKGROUNDS = frozenset(
    {"background", "setting", "scene", "背景", "场景", "обстановка", "место действия", "предыстория"}
)
_MARKS = r"[\s*_#>\-]*(?:\d{1,3}[.)]\s*)?[*_]*"
_LINE = re.compile(
    rf"^{_MARKS}(?P<speaker>[^\W\d_][^:：(（\[【<>{{}}\"“”«»\n]{{0,60}}?)\**\s*"
    r"(?:[(（\[【]\s*(?P<action>[^()（）\[\]【】:：\n]{1,40}?)\s*[)）\]】])?\s*\**\s*[:：]\s*\**\s*(?P<text>.*)$"
)
_MOST_WORDS = 4  # of a name without an action; a line with more before its colon is a sentence
_FENCE = re.compile(r"^```\w*\n(.*?)\n?```$", re.DOTALL)
_END = re.compile(r"<\|[a-z_]{1,20}\|>")  # a token that closes a turn


def script(answer: str) -> list[Said]:
    """The turns of a script with `speaker`, `action` and `text`; neighbours alike in speaker and action are one.

    What stands before the first name is left out. A name without an action speaks.
    """
    text = answer.strip()
    found = _FENCE.match(text)
    text = found.group(1).strip() if found else text
    turns = _of_json(text) if text[:1] in "[{" else None
    return _joined(_of_lines(_END.sub("", text)) if turns is None else turns)


def _of_lines(text: str) -> Iterator[Said]:
    said: Said | None = None
    known = set[str]()
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match and _is_name(match, known):
            if said:
                yield said
            name = match["speaker"].strip().strip("*_").strip()
            known.add(name.casefold())
            said = _turn(name, match["action"], match["text"])
        elif said and line.strip():
            said = {**said, "text": f"{said['text']}\n{line.strip()}".strip()}
    if said:
        yield said


def _is_name(match: re.Match[str], known: set[str]) -> bool:
    """Whether what stands before a colon is a speaker: one with an action, one who spoke before, or a short name."""
    name = match["speaker"].strip().strip("*_").strip()
    if match["action"] or name.casefold() in known:
        return True
    parts = name.split()
    in_capitals = all(part[:1].isupper() or not part.isascii() for part in parts)
    short = len(parts) <= (_MOST_WORDS if in_capitals else 2)
    return short and (name[:1].isupper() or not name.isascii()) and name[-1:] not in ".,!?;。，！？；"


def _turn(speaker: str, action: str | None, text: str) -> Said:
    told = (action or "").strip().strip("*_").casefold()
    if speaker.casefold() in _BACKGROUNDS:
        return {"speaker": speaker, "action": BACKGROUND, "text": text.strip()}
    return {"speaker": speaker, "action": _ACTION_OF.get(told, told or SPEAKING), "text": text.strip()}


def _of_json(text: str) -> Iterator[Said] | None:
    """The turns of JSON; None where it is none, or holds no list of turns."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    before: list[Said] = []
    if isinstance(value, dict):
        background = next((one for name, one in value.items() if name.casefold() in _BACKGROUNDS), None)
        if isinstance(background, str):
            before = [_turn("Background", None, background)]
        value = next((one for one in value.values() if isinstance(one, list)), None)
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        return None
    return iter([*before, *(_of_object(one) for one in value)])


def _of_object(one: Mapping[str, Any]) -> Said:
    def told(*names: str) -> str:
        return next((str(one[name]) for name in names if isinstance(one.get(name), str)), "")

    action = told("action", "type").strip().strip("()（）")
    return _turn(told("speaker", "role", "name"), action, told("text", "content", "line"))


def _joined(turns: Iterator[Said]) -> list[Said]:
    found: list[Said] = []
    for turn in turns:
        if not turn["text"]:
            continue
        last = found[-1] if found else None
        if last and (last["speaker"], last["action"]) == (turn["speaker"], turn["action"]):
            last["text"] = f"{last['text']}\n{turn['text']}"
        else:
            found.append({**turn})
    return found
