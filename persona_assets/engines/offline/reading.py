"""What the engine makes of a prompt: its sections, its language, and the text that the question is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from persona_assets.engines.offline.data import Language
from persona_assets.prompts import Message

_SECTION = re.compile(r"<([a-z_]+)>\n?(.*?)\n?</\1>", re.DOTALL)
_LANGUAGES: dict[str, Language] = {"english": "en", "chinese": "zh", "russian": "ru"}
_SOURCES = ("persona", "document")  # sections that a question can be about, where the template names none
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt as read: plain values by section name, language, and the text it is about."""

    values: dict[str, str]
    language: Language
    source: str
    source_name: str


def read(messages: Sequence[Message], source_name: str = "", turn: int = 0) -> Reading:
    """Read the first user message; in a later turn the last one first, and what was answered before it as `before`.

    A later turn has its last message whole as `heard`, so that patterns can look at what another speaker said.

    Only sections are looked at; a prompt without any is about itself, and a later turn about what was answered before
    it. The first section of a name counts, so nothing that follows in a document can replace a value.
    """
    asked = [message["content"] for message in messages if message["role"] == "user"] or [""]
    said = [message["content"] for message in messages if message["role"] == "assistant"]
    prompt = asked[-1] if turn else asked[0]
    sections: dict[str, str] = {"before": said[-1]} if turn and said else {}
    if turn:
        sections["heard"] = prompt
    for text in [prompt, *asked] if turn else [prompt]:
        for name, body in _SECTION.findall(text):
            sections.setdefault(name, body)
    language = _LANGUAGES.get(sections.get("language", "").strip().lower(), "en")
    names = (source_name, *_SOURCES) if source_name else _SOURCES
    if turn and not source_name and "before" in sections:
        return Reading(sections, language, f"{sections['before']}\n{prompt}", "")
    found = next((name for name in names if name in sections), "")
    source = sections.pop(found) if found else prompt
    return Reading(sections, language, source, found)


def items(value: str) -> list[str]:
    """The parts of a comma separated value."""
    return [part.strip() for part in value.split(",") if part.strip()]


def count_tokens(text: str) -> int:
    """About the tokens of a text: words, and CJK characters one by one."""
    return len(text.split()) + len(_CJK.findall(text))
