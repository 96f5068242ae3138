"""Keyphrases of English and Russian text: noun-like runs between stop words, scored by count, length and place.

Names of people must not become part of a persona, so a word that is always capitalised is not a topic unless the tables
know it.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from persona_assets.engines.offline import keyphrases_zh
from persona_assets.engines.offline.data import Language, occupations, words

READ_CHARACTERS = 4000  # the start of a text names its subject; more costs time and adds little
_LONGEST: dict[Language, int] = {"en": 3, "ru": 2, "zh": 1}
_LONGEST_ACRONYM = 4  # longer words in capitals are shouted
_LENGTH_WEIGHT = (0.0, 1.0, 2.0, 1.7)  # by words: two say most, three are often cut wrongly
# Addresses. Every repeat is bounded: a page without a space must not take quadratic time.
_JUNK = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}|(?:https?://|www\.)\S{0,300}"
    r"|\b[A-Za-z0-9-]{1,63}\.(?:com|org|net|io|ru|cn)\b[A-Za-z0-9/._?=&%-]{0,300}"
)
_TOKEN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|\n+|[^\w\s]|\d\S*|_")
_QUOTED = re.compile(r"[«“]([^«»“”\n]{2,40})[»”]")
_SENTENCE_ENDS = frozenset('.!?:…;—•*«“"(')


@dataclass(slots=True)
class _Candidate:
    count: int
    first: int
    words: tuple[str, ...]


def keyphrases(text: str, language: Language, limit: int = 8) -> list[str]:
    """Up to `limit` topics of a document, best first, in lower case (acronyms as written)."""
    head = _JUNK.sub(" \n ", text[:READ_CHARACTERS])
    return keyphrases_zh.keyphrases(head, limit) if language == "zh" else _ranked(head, language, limit, False)


def persona_topics(text: str, language: Language, limit: int = 8) -> list[str]:
    """Up to `limit` topics of a persona: what stands in Russian or Chinese quotation marks, otherwise keyphrases.

    Words that any persona may hold ("wants", "friends") are not topics there.
    """
    head = _JUNK.sub(" \n ", text[:READ_CHARACTERS])
    quoted = [phrase.strip() for phrase in _QUOTED.findall(head)] if language != "en" else []
    if quoted:
        return list(dict.fromkeys(quoted))[:limit]
    return keyphrases_zh.keyphrases(head, limit) if language == "zh" else _ranked(head, language, limit, True)


def _ranked(text: str, language: Language, limit: int, is_persona: bool) -> list[str]:
    candidates: dict[str, _Candidate] = {}
    position = 0
    for run in _runs(text, _stop_words(language, is_persona), _cue_words(language)):
        for gram in _grams(run, language):
            phrase = " ".join(gram)
            candidate = candidates.get(phrase)
            if candidate:
                candidate.count += 1
            else:
                candidates[phrase] = _Candidate(1, position, gram)
        position += len(run)
    ordered = sorted(candidates, key=lambda phrase: (-_score(candidates[phrase], language), candidates[phrase].first))
    chosen: list[str] = []
    taken: set[str] = set()
    for phrase in ordered:
        stems = {_stem(word) for word in candidates[phrase].words}
        if not stems & taken:
            chosen.append(phrase)
            taken |= stems
        if len(chosen) == limit:
            break
    return chosen


def _score(candidate: _Candidate, language: Language) -> float:
    early = 1 + 1 / (1 + candidate.first / 40)
    known = 1.5 if " ".join(candidate.words) in _cue_words(language) else 1.0
    weight = _LENGTH_WEIGHT[len(candidate.words)] * early * known * _doubt(candidate.words, language)
    return math.pow(candidate.count, 0.7) * weight


def _doubt(gram: tuple[str, ...], language: Language) -> float:
    """Less than 1 where endings say that a phrase is perhaps no noun (en) or stands in an oblique case (ru)."""
    if language == "ru":
        return 0.4 if gram[0].endswith(_endings("ru", "oblique_ends")) else 1.0
    return 0.6 if gram[0].endswith("ing") or gram[-1].endswith(("ing", "ed", "al", "ic")) else 1.0


def _stem(word: str) -> str:
    """What phrases must not have in common: the start of a word, without a plural ending."""
    return word[:5].rstrip("s")


def _runs(text: str, stop: frozenset[str], cues: frozenset[str]) -> Iterator[list[str]]:
    """Runs of words with no stop word, sign or line end between them."""
    tokens = _TOKEN.findall(text)
    lower = {token for token in tokens if token[0].islower()}
    run: list[str] = []
    at_start = True
    for token in tokens:
        word = _as_topic(token, at_start, lower, cues)
        at_start = token[0] in _SENTENCE_ENDS or token[0] == "\n"
        if word and word.lower() not in stop:
            run.append(word)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _as_topic(token: str, at_start: bool, lower: set[str], cues: frozenset[str]) -> str:
    """The token as it may stand in a topic, or ""."""
    if not token[0].isalpha() or len(token) < 2:
        return ""
    if token[0].islower():
        return token.split("'")[0].split("’")[0]
    folded = token.lower()
    if folded in lower or folded in cues:
        return folded
    if token.isupper() and len(token) <= _LONGEST_ACRONYM:
        return token if not at_start else ""
    return ""


def _grams(run: list[str], language: Language) -> Iterator[tuple[str, ...]]:
    for start in range(len(run)):
        for end in range(start + 1, min(start + _LONGEST[language], len(run)) + 1):
            gram = tuple(run[start:end])
            if len(gram[0]) > 2 and _is_noun(gram[-1], language) and _can_open(gram, language):
                yield gram


def _can_open(gram: tuple[str, ...], language: Language) -> bool:
    """Whether a phrase's first word can open it: no adverb, no verb, and in Russian an adjective or a noun that
    governs the next one in the genitive.
    """
    lists, first, last = words()[language], gram[0], gram[-1]
    if language == "en":
        return not first.endswith("ly") or first in lists["adjective_exceptions"]
    if first.endswith(_endings("ru", "verb_ends")) and first not in lists["noun_exceptions"]:
        return False
    agrees = first.endswith(_endings("ru", "nominative_adjective_ends"))
    return len(gram) == 1 or agrees or last.endswith(_endings("ru", "genitive_ends")) or last.isupper()


@cache
def _is_noun(word: str, language: Language) -> bool:
    """Whether a word can end a topic, by its ending alone."""
    if len(word) < (3 if language == "en" else 4) and not word.isupper():
        return False
    lists = words()[language]
    if language == "en":
        return word in lists["adjective_exceptions"] or not word.endswith(_endings("en", "adjective_ends"))
    if word in lists["noun_exceptions"] or word in _cue_words("ru"):
        return True
    return not word.endswith(_endings("ru", "adjective_ends") + _endings("ru", "verb_ends"))


@cache
def _endings(language: Language, name: str) -> tuple[str, ...]:
    return tuple(words()[language][name])


@cache
def _cue_words(language: Language) -> frozenset[str]:
    return frozenset(cue for occupation in occupations() for cue in occupation.cues[language])


@cache
def _stop_words(language: Language, is_persona: bool) -> frozenset[str]:
    lists = words()[language]
    stop = set(lists["function"].split())
    if language == "en":
        stop |= {form for verb in lists["verbs"].split() for form in _forms(verb)}
        stop -= _cue_words("en")
    return frozenset(stop.union(lists["persona"].split()) if is_persona else stop)


def _forms(verb: str) -> tuple[str, ...]:
    """The regular forms of an English verb."""
    stem = verb[:-1] if verb.endswith("e") else verb
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing"
    third = verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "o")) else "s")
    doubled = stem + stem[-1]
    return verb, third, stem + "ed", stem + "ing", doubled + "ed", doubled + "ing"
