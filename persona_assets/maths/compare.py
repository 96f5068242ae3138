"""Whether two answers are the same: exact numbers first, then the same formula, then what `math_verify` says."""

import math
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Literal

import orjson

from persona_assets.maths.numbers import clean, number
from persona_assets.maths.words import Number

SECONDS = 10.0  # of the processor for one comparison, so that a busy machine makes no difference
PATIENCE = 20  # times as long by the clock
START_SECONDS = 120.0  # for the process to begin: what it imports takes seconds, and no comparison is to pay for that
Told = Literal["same", "other", "unreadable", "timed_out"]
LONGEST = 600  # characters of an answer that is compared; no answer of a problem is longer
_LETTER = re.compile(r"^\W{0,3}([A-Ha-h])\W{0,3}$")
_FORMULA = re.compile(r"[\\^_=+*/<>(){}\[\]|]|\d\s?[a-zA-Z]\b|\b[a-zA-Z]\s?\d|[∪∩∞√π]")


def same_number(gold: Number, found: Number) -> bool:
    """Whether two numbers are one: 50 % is the figure 50 where a percentage is asked for, and 0.5 where it is not."""
    if gold.percent == found.percent:
        return gold.value == found.value
    return gold.value == found.value or (
        found.value / 100 == gold.value if found.percent else gold.value / 100 == found.value
    )


def plain_form(answer: str) -> str:
    """An answer without what makes no difference between formulas: spaces, sizes of brackets, dollar signs."""
    text = clean(answer).strip(" .。$*`")
    letter = _LETTER.match(text)
    return (
        letter[1].upper() if letter else re.sub(r"\s+", "", text).replace("\\left", "").replace("\\right", "").lower()
    )


def told_apart(gold: str, found: str, language: str = "en") -> bool | None:
    """Whether two answers are the same, as far as that shows without algebra; None where it does not."""
    if not gold.strip() or not found.strip():
        return False
    one, other = number(gold, language), number(found, language)
    if one and other:
        return same_number(one, other)
    if plain_form(gold) == plain_form(found):
        return True
    if max(len(gold), len(found)) > LONGEST:
        return False
    return None if _FORMULA.search(clean(gold)) or _FORMULA.search(clean(found)) else False


class Comparer:
    """Compares answers; formulas in a process of its own, which is begun when the first needs it.

    May be used by several threads, one comparison at a time.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        """`seconds` of the processor are what a comparison of formulas may take, rounded up to whole ones."""
        self.seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Comparer":
        """Itself; the process is ended on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
            self._process = None

    def same(self, gold: str, found: str, language: str = "en") -> bool | None:
        """Whether an answer is the one that was given; None where it cannot be read, or takes too long to tell."""
        return {"same": True, "other": False}.get(self.told(gold, found, language))

    def told(self, gold: str, found: str, language: str = "en") -> Told:
        """The same: whether two answers are one, and where that cannot be told, why."""
        apart = told_apart(gold, found, language)
        if apart is not None:
            return "same" if apart else "other"
        with self._lock:
            return self._by_algebra(_formula(gold, language), _formula(found, language))

    def _by_algebra(self, gold: str, found: str) -> Told:
        process = self._running()
        line = _asked(process, [gold, found], PATIENCE * self.seconds) if process else b""
        if not line:  # it is busy for too long, or gone: out of time, of memory, or of its depth
            late = line is None or (process is not None and process.wait() == -signal.SIGXCPU)
            self.close()
            return "timed_out" if late else "unreadable"
        answer: bool | None = orjson.loads(line)
        return "unreadable" if answer is None else "same" if answer else "other"

    def _running(self) -> "subprocess.Popen[bytes] | None":
        """The process, which has said that it is there; None where none begins."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = [sys.executable, "-m", "persona_assets.maths.worker", str(math.ceil(self.seconds))]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            if not self._process.stdout or not _line(self._process.stdout, START_SECONDS):
                self.close()
        return self._process


def _asked(process: "subprocess.Popen[bytes]", pair: Sequence[str], seconds: float) -> bytes | None:
    """The line that a worker answers with; nothing where it is gone, None where it does not answer in time."""
    into, out = process.stdin, process.stdout
    assert into and out
    try:
        into.write(orjson.dumps(list(pair)) + b"\n")
        into.flush()
        return _line(out, seconds)
    except OSError:
        return b""


def _line(pipe: IO[bytes], seconds: float) -> bytes | None:
    ready, _, _ = select.select([pipe], [], [], seconds)
    return pipe.readline() if ready else None


def _formula(answer: str, language: str) -> str:
    """An answer as TeX that a grammar takes."""
    exact = number(answer, language)
    if exact:
        value = exact.value
        shown = (
            str(value.numerator) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        )
        return f"{shown}\\%" if exact.percent else shown
    text = clean(answer).encode(errors="replace").decode().strip(" .。$*`").strip()
    return re.sub(r"^[A-Za-z]\s?(?:\\in|∈)\s?", "", text)
