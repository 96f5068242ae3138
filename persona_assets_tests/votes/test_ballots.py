"""The vote: who wins, and what no order, abstention or further ballot changes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.maths.compare import told_apart
from persona_assets.votes.ballots import MOST_FORMS, Verdict, decide


def same(one: str, other: str) -> bool:
    """Answers that begin alike are one."""
    return one[0] == other[0]


def verdict(answers: Sequence[str]) -> Verdict:
    return decide(answers, same)


ANSWERS = st.lists(st.sampled_from(["a", "a1", "b", "b2", "c", ""]), max_size=9)


@pytest.mark.parametrize(
    ("answers", "answer", "votes", "voters", "consensus"),
    [
        ([], None, 0, 0, "too_few"),
        (["", ""], None, 0, 0, "too_few"),
        (["a", ""], None, 1, 1, "too_few"),
        (["a", "a1"], "a", 2, 2, "agreed"),
        (["a", "b"], None, 1, 2, "disagreed"),
        (["a", "a", "b"], "a", 2, 3, "agreed"),
        (["a", "b", "c"], None, 1, 3, "disagreed"),
        (["a", "a", "b", "b"], None, 2, 4, "disagreed"),
        (["a", "a", "b", "c"], None, 2, 4, "disagreed"),
        (["a", "a", "a1", "b"], "a", 3, 4, "agreed"),
        (["a", "a", "b", ""], "a", 2, 3, "agreed"),
        (["a1", "a1", "a"], "a1", 3, 3, "agreed"),
    ],
)
def test_the_winner_has_two_votes_and_of_three_or_more_voters_a_majority(
    answers: list[str], answer: str | None, votes: int, voters: int, consensus: str
) -> None:
    assert verdict(answers) == Verdict(answer, votes, voters, consensus)  # type: ignore[arg-type]


@given(ANSWERS, st.randoms())
def test_the_order_of_ballots_does_not_matter(answers: list[str], random: object) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert verdict(shuffled) == verdict(answers)


@given(ANSWERS, st.integers(0, 4))
def test_those_who_abstain_change_nothing(answers: list[str], more: int) -> None:
    assert verdict([*answers, *[""] * more]) == verdict(answers)


@given(ANSWERS)
def test_a_further_ballot_for_the_winner_never_unseats_it(answers: list[str]) -> None:
    before = verdict(answers)
    if before.answer:
        after = verdict([*answers, before.answer])
        assert (after.answer, after.votes, after.voters) == (before.answer, before.votes + 1, before.voters + 1)


@given(ANSWERS)
def test_a_winner_has_the_votes_that_are_counted_for_it(answers: list[str]) -> None:
    found = verdict(answers)
    if found.answer:
        assert found.votes == sum(same(found.answer, one) for one in answers if one)
        assert found.votes >= 2
        assert found.voters < 3 or 2 * found.votes > found.voters


def test_a_percentage_votes_with_its_figure_or_its_share_but_does_not_join_them() -> None:
    def alike(one: str, other: str) -> bool:
        return told_apart(one, other) is True

    assert decide(["50%", "0.5", "0.5"], alike).votes == 3
    assert decide(["50%", "50", "0.5"], alike).consensus == "disagreed"
    assert decide(["50%", "50", "0.5", "0.5"], alike) == Verdict("0.5", 3, 4, "agreed")


def test_a_hundred_different_answers_are_no_more_work_than_the_most_frequent_ones() -> None:
    asked = []

    def never(one: str, other: str) -> bool:
        asked.append((one, other))
        return False

    found = decide([*map(str, range(200)), "7"], never)
    assert (found.consensus, found.votes) == ("disagreed", 2)
    assert len(asked) == MOST_FORMS * (MOST_FORMS - 1) // 2


def test_a_relation_without_sense_costs_little() -> None:
    answers = [f"{number}" for number in range(60)]
    decide(answers, lambda one, other: int(one) % 3 != int(other) % 3)
