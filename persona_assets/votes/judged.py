"""The vote on one logic problem: by the kind of its answer, and in words by who judged them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from persona_assets.votes.ballots import Same, Verdict, decide
from persona_assets.votes.kinds import fold, form_of, options_of, same_of

WORDPLAY, FREE = "wordplay", "free"


def decide_by_kind(answers: Sequence[str], problem: Mapping[str, object]) -> Verdict:
    """The verdict on answers to a problem with `kind`, `answer_kind`, `language`, `text` and `judged`.

    `judged` are pairs, `one` and `other`, of answers that mean the same. The winner is told in the words that most of
    its voters used; of several the shortest. Without a problem answers are compared as those of the kind `free`.
    """
    if problem.get("kind") == WORDPLAY:
        return Verdict(None, 0, 0, "no_vote")
    kind = str(problem.get("answer_kind") or FREE)
    language = str(problem.get("language") or "en")
    options = options_of(str(problem.get("text") or "")) if kind == "choice" else {}
    forms = [form_of(answer, kind, language, options) for answer in answers]
    same = _same_as_judged(problem.get("judged")) if kind == FREE else same_of(kind)
    found = decide(forms, same)
    if found.answer is None:
        return found
    words = [
        answer
        for answer, form in zip(answers, forms, strict=True)
        if form and (form == found.answer or same(form, found.answer))
    ]
    return Verdict(_told(words), found.votes, found.voters, found.consensus)


def same_answer(answer: str, stated: str, problem: Mapping[str, Any]) -> bool | None:
    """Whether two answers to a problem are one; None where one cannot be read, or only a reader could tell."""
    kind = problem["answer_kind"] or FREE
    options = options_of(problem["text"] or "") if kind == "choice" else {}
    one, other = (form_of(text, kind, problem["language"] or "en", options) for text in (answer, stated))
    if not one or not other:
        return None
    if one == other or same_of(kind)(one, other):
        return True
    return None if kind == FREE else False


def _told(words: Sequence[str]) -> str:
    counts = Counter(words)
    return min(counts, key=lambda one: (-counts[one], len(one), one))


def _same_as_judged(pairs: object) -> Same:
    """Whether two folded answers are of one class, where those of each pair are."""
    above: dict[str, str] = {}

    def top(one: str) -> str:
        while one in above:
            one = above[one]
        return one

    for pair in pairs if isinstance(pairs, list) else []:
        first, second = sorted((top(fold(pair["one"])), top(fold(pair["other"]))))
        if first != second:
            above[second] = first
    return lambda one, other: top(one) == top(other)
