r"""Whether what a model writes gives the right answer to a maths problem.

The answer is found in the text (`maths.solution`) and compared with the right one (`maths.compare`): exact numbers
first, in digits or words of three languages, then by form, then by algebra in a process of its own. Signs such as
U+2212, full-width digits and ends of sentences in Chinese and Russian are read as what they mean before that.

| verdict | is |
| --- | --- |
| `correct` | the right answer |
| `wrong` | another one |
| `unreadable` | the text gives no answer, or a formula that cannot be read |
| `timed_out` | whether they are the same took too long to tell |
| `unanswered` | there is no text: the model could not be asked |
"""

import re
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from persona_assets.errors import UsageError
from persona_assets.maths.compare import SECONDS, Comparer, Told
from persona_assets.maths.solution import final_answer

Verdict = Literal["correct", "wrong", "unreadable", "timed_out", "unanswered"]
VERDICTS: dict[Told, Verdict] = {
    "same": "correct",
    "other": "wrong",
    "unreadable": "unreadable",
    "timed_out": "timed_out",
}
_KEPT = 100_000  # outcomes that are remembered: several models give one answer
# The form that recipes for small models train on: steps without a space, and the answer after a single `#`.
_STEPS_END = re.compile(r"(?:^|(?<=[^\s#]))#(?!#)\s?([^\s#][^#\n]{0,199})$")
_MARKED = re.compile(r"\\(?:boxed|fbox)|####")


@dataclass(frozen=True, slots=True)
class Grade:
    """What became of an answer: the verdict, and the answer as it was read, "" where none was."""

    verdict: Verdict
    found: str

    @property
    def value(self) -> float:
        """1 where it is right, else 0."""
        return float(self.verdict == "correct")


def read_answer(text: str, language: str = "en") -> str:
    """The answer that a model's text gives; "" where it gives none that can be told.

    A text such as `30/5=6;2^6=64#64` gives what follows its last `#`; of others `maths.solution` finds it.
    """
    if not _MARKED.search(text) and (steps := _STEPS_END.search(text.strip())):
        return steps[1].strip()
    return final_answer(text, language)


class Grader:
    """Grades answers; what takes algebra is done in a process of its own, which is begun when the first needs it."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """`seconds` are what a comparison of two formulas may take."""
        self._comparer = Comparer(seconds)
        self._known: dict[tuple[str, str, str], Told] = {}

    def __enter__(self) -> "Grader":
        """Itself; the process is ended on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._comparer.close()

    def grade(self, gold: str, text: str | None, language: str = "en") -> Grade:
        """What becomes of a text, None where there is none, as the answer to a problem whose right answer is `gold`.

        Raises:
            UsageError: there is no right answer.
        """
        if not gold.strip():
            raise UsageError("a problem without a right answer cannot be graded: add it, or take the problem out")
        if text is None:
            return Grade("unanswered", "")
        found = read_answer(text, language)
        return Grade(VERDICTS[self._told(gold, found, language)] if found else "unreadable", found)

    def _told(self, gold: str, found: str, language: str) -> Told:
        key = gold, found, language
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._comparer.told(gold, found, language)
        return self._known[key]
