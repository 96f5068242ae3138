"""`OfflineEngine`: an engine that needs no model. Its answers follow from the request and from nothing else."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from persona_assets.engines.base import Completion, ModelIdentity, Request, Result, not_supported
from persona_assets.engines.offline.answering import digests_used
from persona_assets.engines.offline.data import Occupation, Person, data_digest, indefinite, occupation_index, traits
from persona_assets.engines.offline.keyphrases import keyphrases, persona_topics
from persona_assets.engines.offline.people import NOBODY, named, rank, without_names
from persona_assets.engines.offline.phrasing import Draws, Phrasing, Values, choose, left_out, phrase, phrasing_of
from persona_assets.engines.offline.reading import Reading, count_tokens, items, read
from persona_assets.engines.offline.schema import answer_schema
from persona_assets.ids import Json, canonical_json, digest
from persona_assets.prompts import Template
from persona_assets.settings import Settings

VERSION = 1  # of the engine's method; part of its revision, so that a change makes new calls
BATCH = 256  # requests read at once: enough to batch the encoder, little enough to hold
_TOPICS = 8
_GIST_CHARACTERS = 60  # a heading or a first clause: with five keyphrases it is some 25 tokens
_GIST_TOPICS = 5
_MOST_ITEMS = 50  # of a list: what a prompt asks for may be absurd


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as read, with the people that could stand for its text (one, where it names one)."""

    request: Request
    phrasing: Phrasing
    reading: Reading
    topics: list[str]
    named: Person | None


class OfflineEngine:
    """Answers every template deterministically; loads the sentence encoder only for English documents."""

    def __init__(self, settings: Settings) -> None:
        """`settings.encoder` names the encoder; nothing is loaded yet."""
        self._settings = settings
        self._phrasings: dict[str, Phrasing] = {}

    def identity(self, template: Template) -> ModelIdentity:
        """Named "offline"; the revision covers the method, its tables, the encoder's name and the phrasing."""
        parts: list[Json] = [VERSION, data_digest(), self._settings.encoder, template.offline]
        parts += digests_used(template.offline)
        return ModelIdentity("offline", digest(canonical_json(parts)))

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answers in batches, in the order of the requests; nothing is scored.

        Raises:
            UsageError: a template's offline block is wrong.
        """
        iterator = iter(requests)
        while batch := list(islice(iterator, BATCH)):
            if refused := [request for request in batch if request.scores]:
                yield [not_supported(request, "offline") for request in refused]
            asked = [self._read(request) for request in batch if not request.scores]
            if not asked:
                continue
            people = self._people(asked)
            yield [self._answer(question, found) for question, found in zip(asked, people, strict=True)]

    def close(self) -> None:
        """Nothing is held here: the encoder belongs to the process."""

    def _read(self, request: Request) -> _Asked:
        phrasing = self._phrasing(request.template)
        reading = read(request.messages, phrasing.reads, request.template.turn)
        person = named(reading.source, reading.language) if reading.source_name == "persona" else None
        if reading.source_name == "persona":
            topics = persona_topics(without_names(reading.source, reading.language), reading.language, _TOPICS)
        else:
            topics = keyphrases(reading.source, reading.language, _TOPICS)
        return _Asked(request, phrasing, reading, topics, person)

    def _phrasing(self, template: Template) -> Phrasing:
        key = digest(canonical_json(template.offline))
        if key not in self._phrasings:
            self._phrasings[key] = phrasing_of(template)
        return self._phrasings[key]

    def _people(self, batch: list[_Asked]) -> list[list[Person]]:
        """The people that could stand for each text, best first; texts that name nobody are ranked together."""
        open_rows = [row for row, asked in enumerate(batch) if asked.named is None and asked.phrasing.people]
        ranked: list[list[Occupation]] = rank(
            [batch[row].reading.source for row in open_rows],
            [_gist(batch[row]) for row in open_rows],
            [batch[row].reading.language for row in open_rows],
            self._settings.encoder,
        )
        by_row = dict(zip(open_rows, ranked, strict=True))
        nobody = [occupation_index()[NOBODY]]
        return [
            [asked.named] if asked.named else [row.people[asked.reading.language] for row in by_row.get(number, nobody)]
            for number, asked in enumerate(batch)
        ]

    def _answer(self, asked: _Asked, people: list[Person]) -> Completion:
        request = asked.request
        seed = digest(canonical_json([request.messages, request.sampling.seed]))
        if asked.phrasing.list:
            answer = _listed(asked, people, seed)
        else:
            answer = _one(asked, people[0], asked.reading.values, request.template.response_schema, seed, 0)
        text = _plain(answer) if request.template.answer else json.dumps(answer, ensure_ascii=False)
        tokens_in = sum(count_tokens(message["content"]) for message in request.messages)
        return Completion(request.call_id, text, "stop", tokens_in, count_tokens(text), 0.0)


def _plain(answer: Json) -> str:
    """The one property of an answer as text, for a task whose answers are no JSON."""
    [value] = answer.values()
    if isinstance(value, str):
        return value
    return "\n".join(_line(one) if isinstance(one, dict) else str(one) for one in value)


def _line(said: Mapping[str, Any]) -> str:
    """A line of a dialogue, or of a script."""
    action = f" ({said['action']})" if said.get("action") else ""
    return f"{said['speaker']}{action}: {said['text']}"


def _gist(asked: _Asked) -> str:
    """A short English summary of a text: its first line and its keyphrases."""
    first = next((line.strip() for line in asked.reading.source.splitlines() if line.strip()), "")
    return f"{first[:_GIST_CHARACTERS]}. {', '.join(asked.topics[:_GIST_TOPICS])}"


def _listed(asked: _Asked, people: list[Person], seed: str) -> Json:
    """One answer per item: the people and topics found are dealt out, so that items differ."""
    rule = asked.phrasing.list
    assert rule is not None
    values = asked.reading.values
    times = values.get(rule.times, "1")
    repeats = int(times) if times.isdecimal() else 1
    dealt = [item for item in items(values.get(rule.over, "")) for _ in range(repeats)][:_MOST_ITEMS]
    schema = asked.request.template.response_schema["properties"][rule.property]["items"]
    answers = [
        _one(asked, people[number % len(people)], {**values, rule.item: item}, schema, f"{seed}/{number}", number)
        for number, item in enumerate(dealt)
    ]
    return left_out({rule.property: answers}, asked.request.template.response_schema)


def _one(asked: _Asked, person: Person, sections: dict[str, str], schema: Json, seed: str, turn: int) -> Json:
    draws = Draws(seed)
    found = list(dict.fromkeys([*asked.topics, *person.topics]))
    start = 2 * turn % max(len(asked.topics), 1)
    topics = found[start:] + found[:start]
    values = {**sections, **_values(person, topics, draws)}
    chosen = choose(asked.phrasing, values, person.language, draws, {asked.reading.source_name: asked.reading.source})
    if chosen is None:
        return answer_schema(schema, person, topics, draws)
    variant, matched = chosen
    return phrase(variant, {**values, **matched}, schema, asked.phrasing, draws)


def _values(person: Person, topics: list[str], draws: Draws) -> Values:
    options = traits()
    trait = options[draws.below(len(options), "trait")].of(person)
    return {
        "language": person.language,
        "person": person,
        "described": described(person, trait),
        "topics": topics,
        "t1": topics[0],
        "t2": topics[1 % len(topics)],
        "t3": topics[2 % len(topics)],
    }


def described(person: Person, trait: str) -> str:
    """A person with a trait, after its article or measure word."""
    if not trait:
        return person.indef
    space = "" if person.language == "zh" else " "
    return indefinite(f"{trait}{space}{person.name}", person.language, person.role)
