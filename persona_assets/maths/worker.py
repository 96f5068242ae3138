"""Compares formulas in a process of its own: `math_verify` wants a main thread, and sympy may never end.

The first line of the output says that all is imported. Then each line of the input is a JSON list of two formulas, each
line of the output `true`, `false` or `null`: null where one of them cannot be read. A comparison that takes more
seconds of the processor than the argument says is ended with the process, by the kernel: sympy may count for long
without looking up.
"""

import math
import resource
import sys
from tokenize import TokenError
from typing import Any

import orjson

MOST_BYTES = 2 << 30  # of memory; sympy may want all there is
# What the grammar and sympy raise on texts that are no formulas. Anything else ends the process, which says the same.
_UNREADABLE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NotImplementedError, RuntimeError),
    *(SyntaxError, TokenError, TypeError, ValueError),
)


def same(one: str, other: str) -> bool | None:
    """Whether two formulas have the same value; None where one of them cannot be read."""
    from math_verify import LatexExtractionConfig, parse, verify

    config: list[Any] = [LatexExtractionConfig(boxed_match_priority=0)]
    try:
        first, second = (
            parse(f"${formula}$", extraction_config=config, parsing_timeout=None, raise_on_error=True)
            for formula in (one, other)
        )
        if not first or not second:
            return None
        return bool(verify(first, second, timeout_seconds=None, raise_on_error=True))
    except _UNREADABLE:
        return None


def main() -> None:
    """Answer until the input ends."""
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints is no answer
    same("1", "1")
    answers.write(b"ready\n")
    answers.flush()
    for line in sys.stdin.buffer:
        one, other = orjson.loads(line)
        _allow(seconds)
        answers.write(orjson.dumps(same(one, other)) + b"\n")
        answers.flush()


def _allow(seconds: int) -> None:
    """From now on so much of the processor, within what was allowed from the start."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = math.ceil(used + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


if __name__ == "__main__":
    main()
