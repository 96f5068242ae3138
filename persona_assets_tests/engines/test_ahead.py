import threading
import time
from collections.abc import Iterator

import pytest

from persona_assets.engines.ahead import AHEAD, ahead


def test_items_come_in_order() -> None:
    assert list(ahead(iter(range(1000)))) == list(range(1000))


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no disk")

    taken = []
    with pytest.raises(OSError, match="no disk"):
        for item in ahead(items()):
            taken.append(item)
    assert taken == [1]


def test_no_more_is_made_than_a_few_items_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    taking = ahead(items())
    next(taking)
    time.sleep(0.2)
    assert len(made) <= AHEAD + 2
    taking.close()


def test_closing_early_ends_the_thread_and_leaves_the_iterator_to_others() -> None:
    items = iter(range(100))
    before = threading.active_count()
    taking = ahead(items)
    assert next(taking) == 0
    taking.close()
    assert threading.active_count() == before
    assert next(items) <= AHEAD + 2
