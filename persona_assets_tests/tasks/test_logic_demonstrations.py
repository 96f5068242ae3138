"""The demonstrations of logic problems: of every kind, and each with the one answer that it gives."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise, permutations, product

import pytest

from persona_assets.maths.numbers import number
from persona_assets_tests.tasks.demonstrations import ANSWER_KINDS, pool, rows
from persona_assets_tests.tasks.people import LANGUAGES

LEAST_OF_KIND = {"logical": 6, "spatial": 6, "wordplay": 6}
YES_AND_NO = {"en": {"yes", "no"}, "zh": {"是", "否"}, "ru": {"да", "нет"}}
Places = Mapping[str, int]


@pytest.mark.parametrize("language", LANGUAGES)
def test_logic_demonstrations_are_of_every_kind_and_wordplay_is_chinese(language: str) -> None:
    kinds = Counter(answer["kind"] for answer in pool("logic_problems", language))
    assert ("wordplay" in kinds) == (language == "zh")
    assert all(count >= LEAST_OF_KIND[kind] for kind, count in kinds.items())
    own = {answer["answer_kind"] for answer in pool("logic_problems", language) if answer["kind"] != "wordplay"}
    assert own == set(ANSWER_KINDS)


def test_only_wordplay_has_no_answer() -> None:
    for row in rows("logic_problems"):
        answer = row["answer"]
        assert (answer["answer"] is None) == (answer["kind"] == "wordplay")
        assert answer["kind"] != "wordplay" or answer["answer_kind"] == "free"


def test_an_answer_of_a_logic_demonstration_is_of_its_kind() -> None:
    for row in rows("logic_problems"):
        problem, kind, said = (row["answer"][key] for key in ("problem", "answer_kind", "answer"))
        if kind == "number":
            assert number(said, row["language"])
        elif kind == "yes_no":
            assert said in YES_AND_NO[row["language"]]
        elif kind in ("choice", "order"):
            items = said.split(", ") if kind == "order" else [said]
            assert all(item in problem for item in items)
            assert len(set(items)) == len(items) and (kind == "choice" or len(items) > 3)


def answer_to(words: str) -> str:
    """The answer of the one demonstration whose problem says these words."""
    (found,) = (row["answer"]["answer"] for row in rows("logic_problems") if words in row["answer"]["problem"])
    return str(found)


def orders(names: str, fits: Callable[[Places], bool]) -> list[str]:
    """Every order of the names, from place 1 on, that fits."""
    every = permutations(names.split())
    return [", ".join(one) for one in every if fits({name: place for place, name in enumerate(one, 1)})]


ORDERS: list[tuple[str, str, Callable[[Places], bool]]] = [
    (
        "booked with the groomer",
        "beagle corgi husky poodle whippet",
        lambda at: (
            at["poodle"] == 2
            and at["beagle"] - at["husky"] >= 2
            and at["beagle"] != 5
            and abs(at["corgi"] - at["whippet"]) == 1
            and at["whippet"] != 4
        ),
    ),
    (
        "straight ridge trail",
        "Fern Kite Moss Owl Pine",
        lambda at: (
            at["Owl"] - at["Pine"] == 3
            and 2 * at["Moss"] == at["Pine"] + at["Fern"]
            and at["Kite"] < at["Moss"]
            and at["Owl"] != 5
        ),
    ),
    (
        "端午赛龙舟",
        "青龙 白虎 朱雀 玄武",
        lambda at: all(
            (at[one] == first) != (at[other] == second)
            for one, first, other, second in (
                ("白虎", 4, "玄武", 3),
                ("朱雀", 2, "玄武", 4),
                ("青龙", 2, "白虎", 1),
            )
        ),
    ),
    (
        "五层小楼",
        "茶馆 书店 琴行 药房 裁缝铺",
        lambda at: at["书店"] - at["茶馆"] == 2 and at["琴行"] - at["药房"] == 3 and at["裁缝铺"] > at["书店"],
    ),
    (
        "зубному врачу",
        "Глеб Зоя Нонна Римма Тимур",
        lambda at: (
            at["Зоя"] - at["Глеб"] == 2
            and at["Тимур"] < at["Римма"] < 5
            and at["Нонна"] not in (1, 5)
            and abs(at["Нонна"] - at["Зоя"]) > 1
        ),
    ),
    (
        "вдоль набережной",
        "аптека булочная вокзал гараж почта",
        lambda at: (
            at["почта"] - at["аптека"] == 1
            and abs(at["вокзал"] - at["гараж"]) == 1
            and abs(at["булочная"] - at["вокзал"]) == 3
            and at["гараж"] > at["аптека"]
        ),
    ),
]


@pytest.mark.parametrize(("words", "names", "fits"), ORDERS, ids=[words for words, _, _ in ORDERS])
def test_just_one_order_fits_what_is_said(words: str, names: str, fits: Callable[[Places], bool]) -> None:
    assert orders(names, fits) == [answer_to(words)]


def test_just_one_stallholder_can_have_let_the_goat_in() -> None:
    def true(who: str) -> int:
        return sum((who == "Sol", who == "Tess", who != "Tess", who != "Uri"))

    assert [who for who in ("Ruth", "Sol", "Tess", "Uri") if true(who) == 1] == [answer_to("goat into the market")]


def test_just_one_grandmother_can_brew() -> None:
    found = set()
    for crafts, floors in product(permutations(("酱菜", "腊肉", "米酒")), permutations((1, 3, 5))):
        floor = dict(zip(crafts, floors, strict=True))
        low, _, high = floors
        if floor["米酒"] == 5 and floor["腊肉"] != 1 and low < high and crafts[2] != "米酒":
            found.add(("许奶奶", "范奶奶", "邹奶奶")[crafts.index("米酒")])
    assert found == {answer_to("许奶奶、范奶奶、邹奶奶")}


def test_the_liars_in_the_queue_are_as_many_in_every_case() -> None:
    found = set()
    for honest in product((True, False), repeat=11):
        others = all(me != before for before, me in pairwise(honest))
        if others and honest[0] == (not any(honest[1:])):
            found.add(str(honest.count(False)))
    assert found == {answer_to("встали в очередь за жалованьем")}


def solids() -> Iterable[tuple[str, int]]:
    """What is asked of a solid, and the number that counting its cubes gives."""
    waxed = (((x in (0, 3)) + (y in (0, 3)) + (z == 3)) for x, y, z in product(range(4), repeat=3))
    yield "brushes wax", list(waxed).count(2)
    bored = {tuple(2 if axis != along else at for axis in range(3)) for along in range(3) for at in range(5)}
    yield "просверлил насквозь", 125 - len(bored)
    boxes = {cell for cell in product(range(3), repeat=3) if max(cell[:2]) < 3 - cell[2]}
    steps = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1))
    yield "垒花台", sum((x + a, y + b, z + c) not in boxes for x, y, z in boxes for a, b, c in steps)


@pytest.mark.parametrize(("words", "count"), solids())
def test_counting_the_cubes_gives_the_answer(words: str, count: int) -> None:
    assert answer_to(words) == str(count)


def test_rolling_the_die_and_the_box_gives_the_answer() -> None:
    top, bottom, north, south, east, west = 1, 6, 5, 2, 3, 4
    for to in "NEESE":
        if to == "N":
            top, north, bottom, south = south, top, north, bottom
        elif to == "S":
            top, south, bottom, north = north, top, south, bottom
        else:
            top, east, bottom, west = west, top, east, bottom
    assert answer_to("tipped over an edge") == str(top)
    above, right, below, left = "兰竹松荷"
    above, right, below, left = left, above, right, below  # over to the right; what is above then comes to the front
    assert answer_to("正方体木盒") == above
