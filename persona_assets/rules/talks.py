"""Rules of talks between an assistant and a user: each keeps to its part, and every turn says something new.

The field that they look at is the list of a talk, each turn with `speaker` and `text`. Texts that stand beside a turn,
such as thoughts, are nobody's words and not looked at.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from persona_assets.rules.answers import grams
from persona_assets.rules.patterns import pattern
from persona_assets.rules.registry import Rule, rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.sample_texts import (
    language_matches,
    max_words,
    min_words,
    no_ai_self_reference,
    no_contact_data,
    no_missing_file,
    no_placeholder,
    no_refusal,
    no_repetition,
    no_unfinished,
)
from persona_assets.rules.texts import prose, sentences, unquoted, words

Holds = Literal[
    "language_matches",
    "max_words",
    "min_words",
    "no_ai_self_reference",
    "no_contact_data",
    "no_missing_file",
    "no_placeholder",
    "no_refusal",
    "no_repetition",
    "no_unfinished",
]

_RULES: Mapping[str, Rule] = {
    one.name: one
    for one in (
        *(language_matches, max_words, min_words, no_ai_self_reference, no_contact_data),
        *(no_missing_file, no_placeholder, no_refusal, no_repetition, no_unfinished),
    )
}
_OWN = 0.8  # of the words in a row of two turns of one speaker in both; a revision that changes a part has less
_OTHERS = 0.6  # of a turn's in one of the other speaker; taking up somebody's words has under a third
_LEAST = 8  # words; shorter turns are alike by chance
_OPENING = 160  # characters within which one speaks in the other's part by way of opening
_COURTEOUS = 40  # words of a turn that is no more than thanks; a longer one has a subject of its own
_HAN = re.compile("[\u3400-\u9fff]")
_SHOWN = 80
_ANSWER = re.compile(r'"(?:say|thought|done)"\s{0,3}:')  # the form of an answer within what is said


class Turn(NamedTuple):
    """What a speaker said, and the number of the turn from 1."""

    number: int
    speaker: str
    text: str

    def refused(self, said: str) -> str:
        """What was seen in it, with where it stands."""
        return f"turn {self.number} ({self.speaker}) {said}"


def turns_of(sample: Sample, field: str) -> Iterator[Turn]:
    """The turns of a talk, in order; what is no turn is passed over."""
    talk = sample.content.get(field)
    for number, one in enumerate(talk if isinstance(talk, list) else (), 1):
        if isinstance(one, Mapping) and isinstance(one.get("text"), str):
            yield Turn(number, str(one.get("speaker")), one["text"])


@rule()
def every_turn(sample: Sample, field: str, holds: Holds, speaker: str = "", words: int = 0) -> str | None:
    """A rule of texts holds for every turn, or for those of one speaker; `words` is for the rules that count them."""
    given = {"words": words} if holds.endswith("_words") else {}
    for turn in turns_of(sample, field):
        if speaker and turn.speaker != speaker:
            continue
        one = Sample({"text": turn.text}, sample.persona, sample.language)
        if found := _RULES[holds](one, field="text", **given):
            return turn.refused(f"{holds}: {found.removeprefix('text ')}")
    return None


@rule()
def roles_kept(sample: Sample, field: str, assistant: str = "assistant") -> str | None:
    """The assistant does not speak as the user, the user not as an assistant, and nobody writes both parts.

    `assistant` is the speaker that assists; all others are users. What is quoted may be in anybody's words.
    """
    for turn in turns_of(sample, field):
        text = unquoted(turn.text)
        found = _ANSWER.search(turn.text) or pattern("ai").search(text) or pattern("both_parts").search(text)
        found = found or (_as_user(text) if turn.speaker == assistant else _as_assistant(text))
        if found:
            return turn.refused(f"is out of its part: {found.group(0).strip()[:_SHOWN]}")
    return None


def _as_user(text: str) -> re.Match[str] | None:
    """Words of a user that begin a text; further on they may be part of what an assistant drafts."""
    return pattern("as_user").match(text[:_OPENING])


def _as_assistant(text: str) -> re.Match[str] | None:
    """Words of an assistant, of somebody who plays the user, or a question with its answer."""
    found = pattern("as_assistant").search(text) or pattern("as_assistant_opening").match(text[:_OPENING])
    return found or pattern("persona").search(text) or pattern("answers_itself").search(prose(text))


@rule()
def no_loop_of_thanks(sample: Sample, field: str) -> str | None:
    """No two turns that follow on one another are nothing but thanks, compliments or goodbyes."""
    before = False
    for turn in turns_of(sample, field):
        mere = is_courtesy(turn.text)
        if mere and before:
            return turn.refused(f"answers thanks with no more than that: {turn.text.strip()[:_SHOWN]}")
        before = mere
    return None


def is_courtesy(text: str) -> bool:
    """Whether a short text is thanks, compliments or a goodbye by half of its sentences, and no other goes further."""
    said = [one for one in sentences(text) if words(one)]
    if len(words(text)) > (2 * _COURTEOUS if _HAN.search(text) else _COURTEOUS):
        return False
    rests = [pattern("courtesy").subn(" ", one) for one in said]
    courteous = sum(count > 0 for _, count in rests)
    return 2 * courteous >= len(said) and not any(pattern("goes_further").search(rest) for rest, _ in rests)


@rule()
def talk_moves_on(sample: Sample, field: str, request: str = "instruction") -> str | None:
    """No turn repeats an earlier one, or the request that the talk is about: the column `request` of its row.

    Of the runs of four words, those of two turns of one speaker are compared both ways, so that an answer may come
    again in short or revised; those of a turn must not stand in a turn of the other speaker.
    """
    asked = sample.about.get(request)
    earlier = [Turn(0, "", asked)] if isinstance(asked, str) else []
    for turn in turns_of(sample, field):
        for other in earlier:
            if _repeats(turn, other):
                where = f"turn {other.number}" if other.number else "the request"
                return turn.refused(f"repeats {where}: {turn.text.strip()[:_SHOWN]}")
        earlier.append(turn)
    return None


def _repeats(turn: Turn, other: Turn) -> bool:
    own, theirs = words(turn.text), words(other.text)
    if own == theirs:
        return True
    if len(own) < _LEAST:
        return False
    mine, there = grams(own), grams(theirs)
    if turn.speaker == other.speaker:
        return len(mine & there) >= _OWN * len(mine | there)
    return len(mine & there) > _OTHERS * len(mine)
