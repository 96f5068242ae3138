"""Votes on maths problems: whose solutions count, what is kept of each, and on which side of the split they are."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from persona_assets.contained.mechanism import containment
from persona_assets.lake import Lake
from persona_assets.lineage.computed import Computed
from persona_assets.lineage.find import Finder, locate
from persona_assets.lineage.model import Status
from persona_assets.lineage.steps import Steps
from persona_assets.settings import Settings
from persona_assets_tests.rows import SHARD
from persona_assets_tests.tasks.voting import TABLES, code, computed, failing, put_problem, votes, words

WALLED = pytest.mark.skipif(containment().mechanism == "none", reason=str(containment()))


def vote(lake: Lake, *solutions: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """The vote on one problem."""
    put_problem(lake, "math", {"p": solutions}, p=columns)
    return votes(lake, "math_answers")["p"]


def outcomes(row: dict[str, Any]) -> list[str]:
    return [ballot["outcome"] for ballot in row["ballots"]]


@WALLED
def test_words_and_programs_vote_together(lake: Lake) -> None:
    row = vote(lake, words("So it is 18.", "18"), words("So 17.", "17"), code("print(18)"), code("print(36 / 2)"))
    assert (row["answer"], row["votes"], row["voters"], row["consensus"]) == ("18", 3, 4, "agreed")
    assert [(one["sample_id"], one["method"], one["attempt"], one["answer"]) for one in row["ballots"]] == [
        ("smp_p_0", "chain_of_thought", 0, "18"),
        ("smp_p_1", "chain_of_thought", 1, "17"),
        ("smp_p_2", "program_of_thought", 2, "18"),
        ("smp_p_3", "program_of_thought", 3, "18"),
    ]
    assert row["parent_ids"] == [f"smp_p_{number}" for number in range(4)]


def test_solutions_that_all_disagree_have_no_winner(lake: Lake) -> None:
    row = vote(lake, *(words(f"It is {number}.", str(number)) for number in range(4)))
    assert (row["answer"], row["votes"], row["voters"], row["consensus"]) == (None, 1, 4, "disagreed")


def test_identical_texts_are_one_voter(lake: Lake) -> None:
    row = vote(lake, words("It is 5.", "5"), words(" It  is 5.", "5"), words("Well, 6.", "6"))
    assert (row["consensus"], row["voters"], outcomes(row)) == ("disagreed", 2, ["answered", "repeated", "answered"])


def test_what_cannot_be_read_abstains(lake: Lake) -> None:
    row = vote(lake, words("It is 5."), words("Five it is.", "5"), words("We cannot know."), words("x" * 4000))
    assert (row["answer"], row["voters"], row["consensus"]) == ("5", 2, "agreed")
    assert outcomes(row) == ["answered", "answered", "unreadable", "unreadable"]


@WALLED
def test_hostile_programs_fail_with_a_reason_and_the_others_count(lake: Lake) -> None:
    row = vote(
        lake,
        *(code("x = [0] * 10**10\nprint(5)"), code("print(1 / 0)"), code("import os; os._exit(0)")),
        *(words("It is 5.", "5"), words("So 5.", "5")),
    )
    assert (row["answer"], row["votes"], row["voters"]) == ("5", 2, 2)
    assert outcomes(row) == ["answered", "answered", "failed: memory", "failed: error", "failed: error"]


@pytest.mark.parametrize(
    ("language", "texts", "answer"),
    [
        ("ru", ["1500 рублей", "1 500", "полторы тысячи"], "1500"),
        ("ru", ["12,5 км", "12.5", "25/2"], "12.5"),
        ("zh", ["三百二十", "320元", "３２０"], "320"),
        ("en", ["three quarters", "3/4", "75%"], "0.75"),
        ("en", ["2\\sqrt{3}", "\\sqrt{12}", "$x = 2\\sqrt{3}$"], "2\\sqrt{3}"),
    ],
)
def test_answers_in_another_script_unit_or_format_agree(
    lake: Lake, language: str, texts: list[str], answer: str
) -> None:
    told = [words(f"{number}.", text) for number, text in enumerate(texts)]
    row = vote(lake, *told, language=language)
    assert (row["consensus"], row["votes"]) == ("agreed", len(texts) if language != "ru" or "," in texts[0] else 2)
    assert row["answer"] == answer


@pytest.mark.parametrize(
    ("stated", "agrees"), [("18", True), ("18 dollars", True), ("19", False), (None, None), ("", None)]
)
def test_the_winner_is_compared_with_the_answer_that_came_with_the_problem(
    lake: Lake, stated: str | None, agrees: bool | None
) -> None:
    row = vote(lake, words("18.", "18"), words("So 18.", "18"), answer=stated)
    assert (row["stated"], row["agrees_with_stated"]) == (stated, agrees)


def test_without_a_winner_nothing_agrees_with_what_was_stated(lake: Lake) -> None:
    row = vote(lake, words("18.", "18"), words("So 19.", "19"), answer="18")
    assert row["agrees_with_stated"] is None


def test_an_empty_partition_has_no_votes(lake: Lake) -> None:
    put_problem(lake, "math", {})
    assert votes(lake, "math_answers") == {}
    assert failing(lake, "math_answers") == {}


def test_a_vote_passes_its_gates_and_is_the_same_again(lake: Lake) -> None:
    solved = {
        f"p{number}": [words(f"{number}: {part}", str(number + part // 2)) for part in range(3)] for number in range(40)
    }
    put_problem(lake, "math", solved)
    first = votes(lake, "math_answers")
    assert failing(lake, "math_answers") == {}
    assert len(first) == 40
    volatile = computed("math_answers").table.volatile
    again = votes(lake, "math_answers")
    for name, row in first.items():
        assert {k: v for k, v in row.items() if k not in volatile} == {
            k: v for k, v in again[name].items() if k not in volatile
        }


@WALLED
def test_the_audit_computes_a_vote_again(lake: Lake) -> None:
    vote(lake, words("It is 18.", "18"), code("print(18)"), answer="18")
    [row] = lake.read(TABLES["math_answers"], SHARD).to_dicts()
    steps = Steps.of(Settings())
    found = locate(Finder(lake, steps.task_tables), row["sample_id"])
    assert {one.name: one.status for one in Computed(lake, steps, Settings()).row(found)} == {
        "id_recomputes": Status.OK,
        "row_computes_again": Status.OK,
    }
    other = replace(found, row={**row, "votes": 3})
    assert {one.status for one in Computed(lake, steps, Settings()).row(other)} == {Status.FAILED}


# The split


def put_pages(lake: Lake, pages: int, shard: str = SHARD) -> None:
    """Two problems of each page, each with two solutions that agree."""
    names = [f"{shard[-1]}_{page}_{number}" for page in range(pages) for number in range(2)]
    solved = {name: [words("It is 5.", "5"), words("So 5.", "5")] for name in names}
    put_problem(
        lake, "math", solved, shard, **{name: {"document_id": f"doc_{name.rpartition('_')[0]}"} for name in names}
    )


def test_all_problems_of_a_page_are_on_one_side_in_every_shard(lake: Lake) -> None:
    sides: dict[str, set[str]] = {}
    for shard in ("d.0000", "d.0001", "d.0002"):
        put_pages(lake, 30, shard)
        rows = votes(lake, "math_answers", shard, held_out_share=0.3)
        assert failing(lake, "math_answers", shard, held_out_share=0.3) == {}
        for row in rows.values():
            sides.setdefault(row["document_id"], set()).add(row["split"])
    assert all(len(found) == 1 for found in sides.values())
    held = sum(found == {"held_out"} for found in sides.values())
    assert 15 <= held <= 40


def test_a_page_on_both_sides_of_two_shards_fails_a_gate(lake: Lake) -> None:
    table = TABLES["math_answers"]
    for shard in ("d.0000", "d.0001"):
        put_problem(lake, "math", {f"p{shard[-1]}": [words("5", "5"), words("So 5", "5")]}, shard)
        votes(lake, "math_answers", shard)
    assert failing(lake, "math_answers") == {}
    moved = lake.read(table, "d.0001").with_columns(split=pl.lit("held_out"))
    with lake.partition(table, "d.0001", "run") as part:
        part.rows.append(moved)
    assert failing(lake, "math_answers")["no_family_parted"] == [{"document_id": "doc_a", "sides": 2}]
    assert "no_family_parted" in failing(lake, "math_answers", "d.0001")


def test_what_was_held_out_of_a_smaller_share_still_is_of_a_larger_one(lake: Lake) -> None:
    put_pages(lake, 40)
    small = votes(lake, "math_answers", held_out_share=0.1)
    large = votes(lake, "math_answers", held_out_share=0.5)
    held = {name for name, row in small.items() if row["split"] == "held_out"}
    assert held
    assert held < {name for name, row in large.items() if row["split"] == "held_out"}


@pytest.mark.parametrize(("share", "sides"), [(0.0, {"train"}), (1.0, {"held_out"})])
def test_none_or_all_can_be_held_out(lake: Lake, share: float, sides: set[str]) -> None:
    put_pages(lake, 5)
    assert {row["split"] for row in votes(lake, "math_answers", held_out_share=share).values()} == sides
