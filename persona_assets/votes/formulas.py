"""Whether two answers in plain form are one: told without algebra where that can be, and with it a few times."""

from persona_assets.maths.compare import Comparer, told_apart

MOST_BY_ALGEBRA = 15  # comparisons a problem: all pairs of six formulas
_KEPT = 10_000  # outcomes that are remembered


class SameFormula:
    """Says whether two answers are one. Call `begin` before the next problem's."""

    def __init__(self, comparer: Comparer, most: int = MOST_BY_ALGEBRA) -> None:
        """`comparer` does the algebra, for at most `most` pairs of one problem: it may take seconds for each."""
        self._comparer, self._most, self._left = comparer, most, most
        self._known: dict[tuple[str, str], bool] = {}

    def begin(self) -> None:
        """Another problem follows."""
        self._left = self._most

    def __call__(self, one: str, other: str) -> bool:
        """Whether they are; what algebra cannot tell is not."""
        if one == other:
            return True
        first, second = sorted((one, other))
        told = told_apart(first, second)
        if told is not None:
            return told
        if not self._left:
            return False
        self._left -= 1  # of a known pair too, so that no other problem decides what is compared of this one
        known = self._known.get((first, second))
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[first, second] = self._comparer.same(first, second) is True
        return known
