"""The sentences that a plain answer is made of, from `build.yaml`, with the words that are asked for."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from persona_assets.constraints.constraint import Args, Value
from persona_assets.constraints.words import HAN, letter_count, normal, times
from persona_assets.ids import canonical_json, digest

_TOPIC_WORDS = 6  # of a topic, so that sentences with it stay short
_TOPIC_CHARACTERS = 60
_TOPIC_HAN = 12
_LETTERS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HAN = re.compile(f"[{HAN}]")


def material(language: str) -> Mapping[str, Any]:
    """What `build.yaml` has in a language."""
    return _all()[language]  # type: ignore[no-any-return]


@cache
def _all() -> Mapping[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("build.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def build_digest() -> str:
    """Digest of `build.yaml`."""
    return digest(Path(__file__).with_name("build.yaml").read_bytes())


def told_topic(topic: str, language: str, avoided: str = "") -> str:
    """The first words of a topic, without marks and digits; a general name where none is left or one is unwanted."""
    words = _LETTERS.findall(normal(topic[:400]))
    if language == "zh" and _HAN.search(topic[:400]):
        kept = "".join(words)[:_TOPIC_HAN]
    else:
        kept = " ".join(words[:_TOPIC_WORDS])[:_TOPIC_CHARACTERS].strip()
    return general_topic(language) if not kept or (avoided and times(kept, avoided, language)) else kept


def general_topic(language: str) -> str:
    """What can stand for any topic."""
    return str(material(language)["generic"])


@dataclass(frozen=True, slots=True)
class Prose:
    """The sentences of an answer: an opening in `first`, `body` that must be there, `last` where one is wanted.

    `fillers` are those to go on with, in order, no two alike. `headings`, `columns` and `cells` are names for what
    needs some; none has a word that the answer has to avoid.
    """

    first: list[str]
    body: list[str]
    fillers: list[str]
    last: list[str]
    postscript: str
    headings: list[str]
    columns: list[str]
    cells: list[str]


def prose(wants: Mapping[str, Args], language: str, topic: str) -> Prose:
    """The sentences for what is wanted, by kind, about a topic of `told_topic`; they follow from these alone."""
    told = material(language)
    avoided = str(wants["avoids_word"]["word"]) if "avoids_word" in wants else ""

    def allowed(texts: Sequence[str]) -> list[str]:
        return [one for one in texts if not avoided or not times(one, avoided, language)]

    start = int(digest(canonical_json([topic, sorted(wants)])), 16)
    openings = allowed([one.format(topic=topic) for one in told["openings"]])
    first = openings[start % len(openings) :][:1] if openings else []
    if "first_word" in wants:
        first = [told["first"].format(word=wants["first_word"]["word"], topic=topic)]
    return Prose(
        first=first,
        body=[*_with_words(wants, told), *_with_letters(wants, told, allowed)],
        fillers=allowed(_fillers(told, start)),
        last=_last(wants, told, topic),
        postscript=allowed([told["postscript"], *_fillers(told, start + 1)])[0],
        headings=allowed(told["headings"]),
        columns=allowed(told["columns"]),
        cells=allowed(told["aspects"]),
    )


def _fillers(told: Mapping[str, Any], start: int) -> list[str]:
    """Every frame with every aspect. Their numbers have no common factor, so counting both up meets each pair once."""
    frames, aspects = told["frames"], told["aspects"]
    return [
        frames[place % len(frames)].format(aspect=aspects[place % len(aspects)])
        for place in range(start % 997, start % 997 + len(frames) * len(aspects))
    ]


def _with_words(wants: Mapping[str, Args], told: Mapping[str, Any]) -> list[str]:
    """Sentences with a keyword, twice in each, and with two placeholders each."""
    found: list[str] = []
    for kind in ("contains_word", "word_times"):
        if kind in wants:
            sentences = [one.format(word=wants[kind]["word"]) for one in told["keyword"]]
            found += _halved(sentences, wants[kind].get("n", 1))
    return found + _halved(told["placeholders"], wants.get("placeholders", {}).get("n", 0))


def _halved(sentences: list[str], number: Value) -> list[str]:
    """Half as many sentences as a number says, in turn."""
    assert isinstance(number, int)
    return (sentences * number)[: (number + 1) // 2]


def _with_letters(
    wants: Mapping[str, Args], told: Mapping[str, Any], allowed: Callable[[Sequence[str]], list[str]]
) -> list[str]:
    if "letter_times" not in wants:
        return []
    letter, count = str(wants["letter_times"]["letter"]), wants["letter_times"]["n"]
    assert isinstance(count, int)
    found: list[str] = []
    for sentence in allowed(told["rich"].get(letter, [])):
        if letter_count(" ".join(found), letter) < count:
            found.append(sentence)
    return found


def _last(wants: Mapping[str, Args], told: Mapping[str, Any], topic: str) -> list[str]:
    if "last_sentence" in wants:
        return [str(wants["last_sentence"]["sentence"])]
    if "last_word" in wants:
        return [told["last"].format(word=wants["last_word"]["word"])]
    return [told["question"].format(topic=topic)] if "ends_with_question" in wants else []
