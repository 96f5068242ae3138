"""Echoes: a persona that says again what its parent, an ancestor or a sibling says."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

from persona_assets.steps.runner import Outcome, Parsed, Reject
from persona_assets.text.tokens import word_tokens

ECHO = 0.9  # Jaccard on 1-grams from which two personas count as one (paper section 2.3)


def overlap(one: str, other: str) -> float:
    """Jaccard similarity of two texts' sets of word tokens; 1 where both have none."""
    ours, theirs = _token_set(one), _token_set(other)
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 1.0


def without_echoes(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes, those rows refused that echo an ancestor above the parent or an earlier sibling.

    The questions about one parent stand together and in the order of choice; `ancestors` of the asked row holds the
    texts above the parent. The echo of the parent itself is refused on parsing, which needs nothing but the question.
    """
    for _, siblings in groupby(outcomes, key=lambda outcome: outcome.ask.parent_id):
        said: list[str] = []
        for outcome in siblings:
            judged = _judge(outcome, said)
            said += [row["text"] for row in judged.parsed.rows]
            yield judged


def _judge(outcome: Outcome, said: Sequence[str]) -> Outcome:
    for row in outcome.parsed.rows:
        for reason, texts in (("echo_of_ancestor", outcome.ask.row["ancestors"]), ("echo_of_sibling", said)):
            if any(overlap(row["text"], text) >= ECHO for text in texts):
                reject = Reject(reason, f"{row['relation']}: {row['text']}")
                return replace(outcome, parsed=Parsed(rejects=[*outcome.parsed.rejects, reject]))
    return outcome


@lru_cache(maxsize=1 << 14)  # a parent's text is compared with each of its children, close together
def _token_set(text: str) -> frozenset[str]:
    return frozenset(word_tokens(text))
