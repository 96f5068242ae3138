"""Programs that solve problems: run contained, hostile ones too."""

from collections.abc import Iterator

import pytest

from persona_assets.contained.mechanism import containment
from persona_assets.contained.pool import Contained
from persona_assets.votes.programs import run_programs, source_of

WALLED = pytest.mark.skipif(containment().mechanism == "none", reason=str(containment()))


@pytest.fixture(scope="module")
def contained() -> Iterator[Contained]:
    with Contained(seconds=2, megabytes=128, workers=1) as running:
        yield running


PROGRAMS = [
    ("print(6 * 7)", "42", "answered"),
    ("```python\nprint(6 * 7)\n```", "42", "answered"),
    ("Here it is:\n```\nprint(1)\n```\nand\n```py\nprint(2)\n```", "2", "answered"),
    ("from sympy import sqrt\nprint(sqrt(12))", "2\\sqrt{3}", "answered"),
    ("import numpy as np\nprint(np.float64(1) / 3)", "1/3", "answered"),
    ("import random\nprint(random.randrange(10**6))", None, "answered"),
    ("import time\nprint(0 * time.time())", "0", "answered"),
    ("import time\nprint(time.time_ns())", "", "failed: not the same twice"),
    ("import secrets\nprint(secrets.randbelow(10**9))", "", "failed: not the same twice"),
    ("x = 6 * 7", "", "unreadable"),
    ("print()", "", "unreadable"),
    ("print('no idea, really none that I could tell you of')", "", "unreadable"),
    ("print(1 / 0)", "", "failed: error"),
    ("print(", "", "failed: error"),
    ("while True: pass", "", "failed: timeout"),
    ("x = [0] * 10**9", "", "failed: memory"),
    ("while True: print('9' * 1000)", "", "failed: output"),
    ("import os\nos.kill(os.getppid(), 9)\nprint(1)", None, None),
    ("open('/etc/passwd').read()\nprint(1)", "", "failed: error"),
    ("The answer is 42, I think.", "", "failed: error"),
]


@WALLED
@pytest.mark.parametrize(("solution", "answer", "outcome"), PROGRAMS)
def test_a_program_answers_or_fails_with_a_reason(
    contained: Contained, solution: str, answer: str | None, outcome: str | None
) -> None:
    [(found, how)] = run_programs([solution], contained)
    assert answer is None or found == answer
    assert outcome is None or how == outcome


@WALLED
def test_programs_give_the_same_twice(contained: Contained) -> None:
    texts = ["import random\nprint(random.random())", "print(sorted({'a', 'b', 'c'}), len({1, 2}))", "print(3)"]
    assert list(run_programs(texts, contained)) == list(run_programs(texts, contained))


def test_where_nothing_contains_them_programs_do_not_run() -> None:
    with Contained(mechanism="none", packages=()) as nothing:
        assert list(run_programs(["print(1)"], nothing)) == [("", "not_contained")]


def test_an_open_fence_is_a_program_too() -> None:
    assert source_of("```python\nprint(1)") == "print(1)"
