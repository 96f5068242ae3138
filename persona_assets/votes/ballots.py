"""The vote: which answer do most of the independent solutions of a problem give?

At least two have to agree, and with three or more voters a majority of them (Persona Hub, section 4.1, keeps a problem
where at least two of three settings agree). An answer that cannot be read abstains.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Consensus = Literal["agreed", "disagreed", "too_few", "no_vote"]
Same = Callable[[str, str], bool]

ANSWERED, UNREADABLE, REPEATED = "answered", "unreadable", "repeated"  # what became of a solution
LEAST = 2  # votes that an answer needs
MANY = 3  # voters from which on it needs a majority
MOST_FORMS = 24  # different answers that are compared, the most frequent ones; of a few solutions there are fewer


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome. `votes` are those of the winner, or where there is none, of the answer that had most."""

    answer: str | None
    votes: int
    voters: int
    consensus: Consensus


def decide(answers: Sequence[str], same: Same) -> Verdict:
    """The verdict on these answers, one a voter; an empty one abstains.

    `same` says of two different texts whether they are one answer; it is taken to hold both ways. The order of the
    answers does not matter.
    """
    counts = Counter(filter(None, answers))
    voters = counts.total()
    if voters < LEAST:
        return Verdict(None, voters, voters, "too_few")
    classes = _classes(counts, same)
    votes = max(_votes(one, counts) for one in classes)
    first = [one for one in classes if _votes(one, counts) == votes]
    if len(first) > 1 or votes < LEAST or (voters >= MANY and 2 * votes <= voters):
        return Verdict(None, votes, voters, "disagreed")
    return Verdict(_spokesman(first[0], counts), votes, voters, "agreed")


def _votes(answers: Collection[str], counts: Mapping[str, int]) -> int:
    return sum(counts[one] for one in answers)


def _spokesman(answers: Collection[str], counts: Mapping[str, int]) -> str:
    """The form of an answer that most voters give; of several the shortest."""
    return min(answers, key=lambda one: (-counts[one], len(one), one))


def _classes(counts: Mapping[str, int], same: Same) -> list[frozenset[str]]:
    """The largest sets of answers each of which is the same as each other one.

    An answer may be in several: 50 % is 50, and it is 0.5, but these two are not one answer.
    """
    forms = sorted(counts, key=lambda one: (-counts[one], one))[:MOST_FORMS]
    alike: dict[str, set[str]] = {one: set() for one in forms}
    for at, one in enumerate(forms):
        for other in forms[at + 1 :]:
            if same(one, other):
                alike[one].add(other)
                alike[other].add(one)
    return list(_cliques(frozenset(), set(forms), set(), alike))


def _cliques(
    chosen: frozenset[str], open_: set[str], done: set[str], alike: Mapping[str, set[str]]
) -> list[frozenset[str]]:
    """The maximal sets in which all are alike (Bron and Kerbosch, with a pivot)."""
    if not open_ and not done:
        return [chosen]
    pivot = max(sorted(open_ | done), key=lambda one: len(alike[one] & open_))
    found: list[frozenset[str]] = []
    for one in sorted(open_ - alike[pivot]):
        found += _cliques(chosen | {one}, open_ & alike[one], done & alike[one], alike)
        open_, done = open_ - {one}, done | {one}
    return found
