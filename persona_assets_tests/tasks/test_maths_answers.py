"""The answers of offline maths and logic problems, computed again from the numbers in their text by another way."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, count

import pytest

from persona_assets_tests.tasks.people import samples

Solve = Callable[[list[int]], int]


def work(n: list[int]) -> int:
    per_hour, alone, helper, total = n
    done, hours = per_hour * alone, 0
    while done < total:
        done, hours = done + per_hour + helper, hours + 1
    assert done == total
    return hours


def stock(n: list[int]) -> int:
    start, up, down = n
    return whole(Fraction(start) * (1 + Fraction(up, 100)) * (1 - Fraction(down, 100)))


def hall(n: list[int]) -> int:
    width, length, walkway = sorted(n)[1:] + sorted(n)[:1]
    tiles = [(x, y) for x in range(width) for y in range(length)]
    return sum(walkway <= x < width - walkway and walkway <= y < length - walkway for x, y in tiles)


def boxes(total: int, number: int, small: int, large: int) -> int:
    (found,) = [big for big in range(number + 1) if big * large + (number - big) * small == total]
    return found


def handouts(n: list[int]) -> int:
    first, second = n[0], n[1]
    return len(list(combinations(range(first), 2))) * second


def last_day(n: list[int]) -> int:
    days, before, after = n
    return after * (days + 1) - before * days


def course(first: int, more: int, weeks: int) -> int:
    return sum(first + more * week for week in range(weeks))


def notice(n: list[int]) -> int:
    width, diagonal = n
    (height,) = [side for side in range(1, diagonal) if side**2 + width**2 == diagonal**2]
    return 2 * (width + height)


def price(n: list[int]) -> int:
    k, x, m, y = n
    return whole(Fraction(k * x + m * y, k + m))


def reviews(n: list[int]) -> int:
    one, two = n
    return next(day for day in count(1) if day % one == 0 and day % two == 0)


def meeting(n: list[int]) -> int:
    distance, one, two = n
    hours = Fraction(distance, one + two)
    return whole(min(one, two) * hours)


def doubling(start: int, every: int, weeks: int) -> int:
    for _ in range(weeks // every):
        start *= 2
    return start


def whole(value: Fraction) -> int:
    assert value.denominator == 1
    return value.numerator


# What tells a problem apart, in English, Chinese and Russian, and how it is solved from its numbers in order.
KINDS: list[tuple[str, Solve]] = [
    ("side by side|两人还要一起|вдвоём", work),
    ("first month|第一个月|первый месяц", stock),
    ("exhibition|主题展|выставку", hall),
    ("small box|小箱|маленькую помещается", lambda n: boxes(*n)),
    ("handout is to contain|一份讲义|памятку", handouts),
    ("on average|平均每天检查|проверяет в среднем", last_day),
    ("each later week|比前一周多发|следующую неделю", lambda n: course(*n)),
    ("diagonal|对角线|диагональ", notice),
    ("reference books|参考书|справочник", price),
    ("reviews the notes|复习一次|повторяет записи", reviews),
    ("towns|相距|двух городов", meeting),
    ("doubles every|翻一番|удваивается", lambda n: doubling(n[1], n[0], n[2])),
]


def kind_of(problem: str) -> str:
    """What tells a maths problem apart, of `KINDS`."""
    ((kind, _),) = [entry for entry in KINDS if re.search(entry[0], problem)]
    return kind


def cube(n: list[int]) -> int:
    side = n[0]
    cells = [(x, y, z) for x in range(side) for y in range(side) for z in range(side)]
    return sum(sum((c in (0, side - 1)) for c in cell) == 2 for cell in cells)


def clock(n: list[int]) -> str:
    minutes = 12 * 60 - (n[0] * 60 + n[1])
    return f"{minutes // 60} {minutes % 60}"


def folds(n: list[int]) -> int:
    layers = 1
    for _ in range(n[0]):
        layers += layers
    return layers


def weighings(n: list[int]) -> int:
    left, times = n[0], 0
    while left > 1:
        left, times = -(-left // 3), times + 1
    return times


OPERATIONS: dict[str, Callable[[int, int], Fraction | int]] = {
    "+": lambda one, two: one + two,
    "-": lambda one, two: one - two,
    "*": lambda one, two: one * two,
    "/": Fraction,
}


def is_step(step: str) -> bool:
    """Whether a step of a working is one operation with its right result: of two numbers, a power, a gcd or squares."""
    left, _, result = step.partition(" = ")
    if found := re.fullmatch(r"(\d+) ([-+*/]) (\d+)", left):
        one, sign, two = found.groups()
        return OPERATIONS[sign](int(one), int(two)) == int(result)
    if found := re.fullmatch(r"2\^(\d+)", left):
        return int(result) == doubling(1, 1, int(found[1]))
    if found := re.fullmatch(r"gcd\((\d+), (\d+)\)", left):
        one, two = map(int, found.groups())
        return int(result) == max(number for number in range(1, one + 1) if one % number == 0 == two % number)
    one, two, three = map(int, re.fullmatch(r"(\d+)\^2 - (\d+)\^2 = (\d+)\^2", step).groups())  # type: ignore[union-attr]
    return one * one == two * two + three * three


LOGIC: list[tuple[str, Callable[[list[int]], int | str]]] = [
    ("exactly two faces|恰好有两个面|ровно две грани", cube),
    ("mirror|镜子里|зеркале", clock),
    ("in half|对折|пополам", folds),
    ("pair of scales|天平|чашечными", weighings),
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_every_maths_problem_has_the_answer_that_its_numbers_give(language: str) -> None:
    seen = set()
    for _, answer, _ in samples("math_problems", language):
        problem = answer["problem"]
        ((kind, solve),) = [entry for entry in KINDS if re.search(entry[0], problem)]
        assert int(answer["answer"]) == solve([int(number) for number in re.findall(r"\d+", problem)]), problem
        seen.add(kind)
    assert len(seen) == len(KINDS)


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_every_working_goes_one_operation_at_a_time_to_its_answer(language: str) -> None:
    for _, answer, _ in samples("math_problems", language):
        steps = answer["working"].split("; ")
        assert len(steps) > 1
        assert all(map(is_step, steps)), steps
        assert steps[-1].endswith(f" = {answer['answer']}")


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_logic_problems_with_numbers_have_the_answer_that_their_numbers_give(language: str) -> None:
    seen = set()
    for _, answer, _ in samples("logic_problems", language):
        for kind, solve in LOGIC:
            if re.search(kind, answer["problem"]):
                numbers = [int(number) for number in re.findall(r"\d+", answer["problem"])]
                assert " ".join(re.findall(r"\d+", answer["answer"])) == str(solve(numbers)), answer["problem"]
                seen.add(kind)
    assert len(seen) == len(LOGIC)


def test_the_day_of_a_meeting_follows_from_its_riddle() -> None:
    for _, answer, _ in samples("logic_problems", "en"):
        if match := re.search(r"exactly (\d) days before (\w+)\.", answer["problem"]):
            days, day = int(match.group(1)), match.group(2)
            (right,) = [name for at, name in enumerate(DAYS) if DAYS[(at + 2 + days) % 7] == day]
            assert answer["answer"] == right
