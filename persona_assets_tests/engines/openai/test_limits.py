import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from persona_assets.engines.openai.limits import Bucket, TokenEstimate, Window


def ask_a_round(window: Window, overloaded: Callable[[int], bool]) -> int:
    """Send as many requests as may be in flight, then answer them; the number of overload signs."""
    signs = 0
    numbers = [window.sent() for _ in range(window.limit)]
    for place, number in enumerate(numbers):
        overload = overloaded(place)
        signs += overload
        window.ended(number, overload)
    return signs


def after(rounds: int, ceiling: int, overloaded: Callable[[int], bool]) -> tuple[list[int], float]:
    """The limit in each round, and the share of overload signs."""
    window, limits, signs = Window(ceiling), [], 0
    for _ in range(rounds):
        limits.append(window.limit)
        signs += ask_a_round(window, overloaded)
    return limits, signs / sum(limits)


def test_a_window_reaches_its_ceiling_within_a_round_trip_of_a_good_server() -> None:
    limits, _ = after(3, 256, lambda place: False)
    assert limits == [128, 256, 256]


@hypothesis_settings(max_examples=60, deadline=None)
@given(takes=st.integers(1, 300), ceiling=st.integers(1, 512))
def test_a_window_settles_near_what_a_server_takes(takes: int, ceiling: int) -> None:
    limits, share = after(400, ceiling, lambda place: place >= takes)
    aim = min(takes, ceiling)
    settled = limits[200:]
    assert max(settled) <= 1.25 * aim + 1
    assert sum(settled) / len(settled) >= 0.6 * aim
    if takes > 16:
        assert share < 0.1


@hypothesis_settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.0, 0.2))
def test_faults_by_chance_do_not_close_a_window(seed: int, share: float) -> None:
    chance = random.Random(seed)  # of five servers, as chance may halve one window several times in a row
    limits = [limit for _ in range(5) for limit in after(200, 256, lambda place: chance.random() < share)[0]]
    assert sum(limits) / len(limits) > 0.7 * 256


@hypothesis_settings(max_examples=100, deadline=None)
@given(ceiling=st.integers(1, 300), signs=st.lists(st.booleans(), max_size=800), seed=st.integers(0, 100))
def test_a_window_is_never_shut_nor_beyond_its_ceiling(ceiling: int, signs: list[bool], seed: int) -> None:
    window, order = Window(ceiling), random.Random(seed)
    under_way: list[int] = []
    for overload in signs:
        while len(under_way) < window.limit:
            under_way.append(window.sent())
        before = window.limit
        window.ended(under_way.pop(order.randrange(len(under_way))), overload)
        assert 1 <= window.limit <= ceiling
        assert window.limit >= before // 2


def test_a_window_is_halved_once_a_round_trip() -> None:
    window = Window(256)
    numbers = [window.sent() for _ in range(128)]
    for number in numbers:
        window.ended(number, True)
    assert window.limit == 64
    late = [window.sent() for _ in range(64)]
    for number in numbers:  # answers to what was sent before are not news
        window.ended(number, True)
    assert window.limit == 64
    for number in late:
        window.ended(number, True)
    assert window.limit == 32


def test_the_longest_wish_of_a_round_comes_with_the_cut() -> None:
    window = Window(32)
    wishes = [window.ended(window.sent(), True, after_s) for after_s in [3.0, 7.0] + [1.0] * 14]
    assert wishes == [0.0] * 15 + [7.0]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    per_minute=st.integers(1, 100_000), amounts=st.lists(st.integers(1, 900), min_size=1, max_size=30), data=st.data()
)
def test_no_minute_takes_more_than_its_limit(per_minute: int, amounts: list[int], data: st.DataObject) -> None:
    clock = Clock()
    bucket = Bucket(per_minute, clock)
    taken: list[tuple[float, int]] = []
    for amount in amounts:
        clock.now += data.draw(st.sampled_from([0.0, 0.0, 0.1, 30.0]))
        while wait_s := bucket.take(amount):
            clock.now += wait_s
        taken.append((clock.now, amount))
    for start, _ in taken:
        inside = [amount for at, amount in taken if start <= at < start + 60]
        assert sum(inside[:-1]) <= per_minute + 1.01


@hypothesis_settings(max_examples=30, deadline=None)
@given(per_minute=st.integers(1, 3000))
def test_a_limit_per_minute_is_used_up(per_minute: int) -> None:
    clock = Clock()
    bucket, taken = Bucket(per_minute, clock), 0
    while clock.now < 600:
        if wait_s := bucket.take(1):
            clock.now += wait_s
        else:
            taken += 1
    assert 9.8 * per_minute <= taken <= 10 * per_minute + 2


def test_what_was_not_used_is_given_back_and_what_was_is_paid_off() -> None:
    clock = Clock()
    bucket = Bucket(600, clock)  # ten a second, no more than one at once
    assert bucket.take(50) == 0.0
    bucket.give(50)
    assert bucket.take(1) == 0.0
    bucket.give(-10)
    assert round(bucket.take(1), 3) == 1.1
    clock.now += 1.2
    assert bucket.take(1) == 0.0


def test_tokens_are_guessed_from_the_prompt_and_the_answers_so_far() -> None:
    estimate = TokenEstimate()
    assert estimate.of(400, 1000) == 1100
    estimate.learn(20)
    estimate.learn(40)
    assert estimate.of(400, 1000) == 130
    assert estimate.of(400, 10) == 110
