"""One grade for each item, system and seed, of answers and of scores."""

import math
from typing import Any

import polars as pl
import pytest

from persona_assets.constraints.constraint import Constraint, to_json
from persona_assets.errors import UsageError
from persona_assets.evaluation.grades import grades
from persona_assets.evaluation.tables import GRADES, ITEMS, NULLABLE


def rows(*told: dict[str, Any], kind: str = "maths") -> pl.DataFrame:
    beside = {"suite": "own", "kind": kind, "system": "tuned", "seed": 0}
    return pl.DataFrame([{**beside, **one} for one in told], schema=ITEMS)


def one(*told: dict[str, Any], kind: str = "maths") -> dict[str, Any]:
    found = grades(rows(*told, kind=kind))
    assert found.height == 1
    return found.row(0, named=True)


def test_answers_to_problems_are_right_wrong_or_missing() -> None:
    told = [
        {"item_id": "a", "gold": "7", "answer": "3+4=7#7", "row_id": "r1", "family": "page1"},
        {"item_id": "b", "gold": "7", "answer": "3+4=7#8"},
        {"item_id": "c", "gold": "7", "answer": None},
        {"item_id": "d", "gold": "1,5", "answer": "Ответ: 1.5", "language": "ru"},
    ]
    found = grades(rows(*told))
    assert dict(found.select("item_id", "verdict").iter_rows()) == {
        "a": "correct",
        "b": "wrong",
        "c": "unanswered",
        "d": "correct",
    }
    assert found["value"].to_list() == [1.0, 0.0, 0.0, 1.0]
    assert found["family"].to_list() == ["page1", "b", "c", "d"]
    assert found["row_ids"].to_list() == [["r1"], [], [], []]


def test_constraints_are_checked_by_program() -> None:
    gold = to_json((Constraint("no_commas", {}, "Use no commas."),))
    told = [
        {"item_id": "a", "gold": gold, "answer": "Yes and no.", "prompt": "Say yes."},
        {"item_id": "b", "gold": gold, "answer": "Yes, no."},
        {"item_id": "c", "gold": gold, "answer": None},
    ]
    found = grades(rows(*told, kind="constraints"))
    assert found["verdict"].to_list() == ["correct", "wrong", "unanswered"]
    assert found["found"][1].startswith("no_commas: ")


def test_what_is_to_be_repeated_is_the_request_without_its_constraints() -> None:
    gold = to_json((Constraint("repeats_request", {}, "Begin with my request."),))
    beside = {"gold": gold, "answer": "Name a river. The Lena.", "prompt": "Name a river. Begin with my request."}
    told = [{"item_id": "a", "request": "Name a river.", **beside}, {"item_id": "b", **beside}]
    assert grades(rows(*told, kind="constraints"))["verdict"].to_list() == ["correct", "wrong"]


def test_a_loss_is_nats_per_token() -> None:
    found = one({"item_id": "a", "logprob": -30.0, "tokens": 20}, kind="loss")
    assert (found["value"], found["weight"], found["verdict"]) == (1.5, 20.0, None)
    for scores in ((None, None), (-math.inf, 20), (math.nan, 20), (-1.0, 0)):
        missing = one({"item_id": "a", **dict(zip(("logprob", "tokens"), scores, strict=True))}, kind="loss")
        assert (missing["value"], missing["weight"], missing["verdict"]) == (None, 0.0, "unanswered")


def pair(chosen: tuple[float | None, int], *rejected: tuple[float | None, int]) -> list[dict[str, Any]]:
    roles = ["chosen", *["rejected"] * len(rejected)]
    return [
        {"item_id": f"a{at}", "group": "a", "role": role, "logprob": logprob, "tokens": tokens, "row_id": f"r{at}"}
        for at, (role, (logprob, tokens)) in enumerate(zip(roles, (chosen, *rejected), strict=True))
    ]


def test_a_preference_goes_by_token_so_that_a_long_answer_may_win() -> None:
    found = one(*pair((-20.0, 20), (-15.0, 10)), kind="preference")
    assert (found["item_id"], found["value"], found["margin"]) == ("a", 1.0, -5.0)
    assert (found["verdict"], found["row_ids"]) == ("correct", ["r0", "r1"])
    assert one(*pair((-20.0, 10), (-15.0, 10)), kind="preference")["value"] == 0.0
    assert one(*pair((-10.0, 10), (-15.0, 10), (-9.0, 10)), kind="preference")["value"] == 0.0
    assert one(*pair((None, 10), (-15.0, 10)), kind="preference")["verdict"] == "unanswered"


def test_columns_are_those_declared_and_only_some_may_be_null() -> None:
    found = grades(
        pl.concat(
            [
                rows({"item_id": "a", "gold": "7", "answer": "7"}),
                rows({"item_id": "a", "logprob": -1.0, "tokens": 2}, kind="loss"),
                rows(*pair((-20.0, 20), (-15.0, 10)), kind="preference"),
            ]
        )
    )
    assert found.schema == pl.Schema(GRADES)
    assert found.height == 3
    assert not [name for name in GRADES if name not in NULLABLE and found[name].null_count()]


def test_of_no_items_there_are_no_grades() -> None:
    assert grades(pl.DataFrame(schema=ITEMS)).schema == pl.Schema(GRADES)


def test_the_order_of_rows_makes_no_difference() -> None:
    some = rows(*[{"item_id": f"{at}", "gold": "7", "answer": f"#{at % 9}", "seed": at % 2} for at in range(20)])
    assert grades(some).equals(grades(some.sample(fraction=1, shuffle=True, seed=3)))


FAULTY = {
    "a kind": (rows({"item_id": "a"}, kind="math"), "kind of suite 'math': did you mean maths"),
    "no gold": (rows({"item_id": "a", "answer": "7"}), "suite 'own', item 'a': has no right answer"),
    "twice": (
        rows({"item_id": "a", "gold": "7"}, {"item_id": "a", "gold": "7"}),
        "suite 'own', item 'a': stands there more than once",
    ),
    "half a preference": (rows(*pair((-1.0, 1)), kind="preference"), "item 'a': a preference is one text with"),
    "no column": (pl.DataFrame({"item_id": ["a"]}), "no column 'suite'"),
    "no system": (rows({"item_id": "a", "system": None}), "column 'system' is null in 1 rows"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_cannot_be_graded_is_named(name: str) -> None:
    some, said = FAULTY[name]
    with pytest.raises(UsageError) as error:
        grades(some)
    assert said in str(error.value)
