"""Answers to a message with constraints: they are read in its sentences, and kept to as a good model keeps to them."""

import re
from collections.abc import Callable

from persona_assets.constraints.build import answer, broken_answer
from persona_assets.constraints.kinds import kinds_digest
from persona_assets.constraints.read import read
from persona_assets.constraints.sentences_of import build_digest
from persona_assets.engines.offline.data import Language
from persona_assets.engines.offline.keyphrases import keyphrases
from persona_assets.ids import Json, canonical_json

_ONE_BREAKS_IN = 5  # a good model keeps to all constraints about as often
_TOPICS = 2
_QUOTED = re.compile(r"[“«]([^“”«»\n]{2,40})[”»]")


def kept_answer(message: str, language: Language, below: Callable[[int, str], int]) -> str:
    """A plain answer about a message's topic that keeps to its constraints, or one time in five to all but one.

    `below` draws a number under its first argument, by a name. "" where the message has no constraint.
    """
    said = read(message, language)
    if not said.constraints:
        return ""
    topic = next(iter(said_topics(said.rest, language)), "")
    if below(_ONE_BREAKS_IN, "keeps"):
        return answer(said.constraints, language, topic, said.rest)
    return broken_answer(said.constraints, language, topic, said.rest, below(len(said.constraints), "breaks"))


def said_topics(message: str, language: Language) -> list[str]:
    """What a message is about: the phrases that it has in quotation marks, then its keyphrases; none alike."""
    quoted = [one.strip() for one in _QUOTED.findall(message)][:_TOPICS]
    return list(dict.fromkeys([*quoted, *keyphrases(message, language, _TOPICS)]))


def digests_used(offline: Json) -> list[str]:
    """Digests of the data that an `offline` block uses beside the engine's own."""
    return [kinds_digest(), build_digest()] if b"kept(" in canonical_json(offline) else []
