"""Published filters of web text, from the thresholds in their papers, to compare ours with. Nothing is kept by them.

All were made for English: they tell words by blanks and sentences by ASCII marks, and `gopher` asks for English words.
What they say of Chinese, and `gopher` of Russian, is that they do not know it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

Filter = Callable[[str], str | None]

_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
_TOP_GRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
_REPEATED_GRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_BULLETS = ("•", "-", "*", "●", "·")
_ELLIPSES = ("...", "…")
_TERMINAL = (".", "!", "?", '"', "”")
_LINE_ENDS = (*_TERMINAL, "'", "’", ":", ";", "。", "！", "？", "…", "”", "」")


def gopher(text: str) -> str | None:
    """MassiveText's rules of quality and of repetition (arXiv 2112.11446, appendix A.1.1, table A1)."""
    words = text.split()
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return _gopher_quality(text, words, lines) or _gopher_repetition(text, words, lines)


def _gopher_quality(text: str, words: Sequence[str], lines: Sequence[str]) -> str | None:
    count = max(len(words), 1)
    found = {
        f"{len(words)} words, not 50 to 100,000": not 50 <= len(words) <= 100_000,
        "words of 3 to 10 letters on average are asked for": not 3 <= sum(map(len, words)) / count <= 10,
        "more than one # for ten words": text.count("#") > 0.1 * count,
        "more than one ellipsis for ten words": sum(map(text.count, _ELLIPSES)) > 0.1 * count,
        "over 90% of the lines are points of a list": _share(lines, lambda line: line.startswith(_BULLETS)) > 0.9,
        "over 30% of the lines end in an ellipsis": _share(lines, lambda line: line.endswith(_ELLIPSES)) > 0.3,
        "under 80% of the words have a letter": _share(words, lambda word: any(map(str.isalpha, word))) < 0.8,
        "fewer than two of its English words": len(_STOP_WORDS & {word.lower() for word in words}) < 2,
    }
    return next((said for said, is_so in found.items() if is_so), None)


def _gopher_repetition(text: str, words: Sequence[str], lines: Sequence[str]) -> str | None:
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    for name, parts in (("lines", lines), ("paragraphs", paragraphs)):
        if _again(parts, lambda _: 1) > 0.3:
            return f"over 30% of the {name} repeat others"
        if _again(parts, len) > 0.2:
            return f"over 20% of the text stands in {name} that repeat others"
    size = max(sum(map(len, words)), 1)
    for length, limit in _TOP_GRAMS.items():
        grams = Counter(zip(*(words[shift:] for shift in range(length)), strict=False))
        gram, count = max(grams.items(), key=lambda one: one[1] * sum(map(len, one[0])), default=((), 0))
        if count > 1 and count * sum(map(len, gram)) > limit * size:
            return f"over {limit:.0%} of the text are the {length} words {' '.join(gram)}"
    for length, limit in _REPEATED_GRAMS.items():
        if _repeated(words, length) > limit * size:
            return f"over {limit:.0%} of the text are {length} words that stood there before"
    return None


def _repeated(words: Sequence[str], length: int) -> int:
    """Characters of words in a run of this length that stood there before, each counted once."""
    seen: set[tuple[str, ...]] = set()
    covered = characters = 0
    for start, gram in enumerate(zip(*(words[shift:] for shift in range(length)), strict=False)):
        if gram in seen:
            characters += sum(map(len, words[max(start, covered) : start + length]))
            covered = start + length
        seen.add(gram)
    return characters


def c4(text: str) -> str | None:
    """C4's rules (arXiv 1910.10683, section 2.2), but for its list of bad words and its dedup of sentences."""
    if "lorem ipsum" in text.lower():
        return "it has lorem ipsum"
    if "{" in text:
        return "it has a curly bracket"
    lines = [line.strip() for line in text.split("\n")]
    kept = [line for line in lines if line.endswith(_TERMINAL) and len(line.split()) >= 5]
    kept = [line for line in kept if "javascript" not in line.lower()]
    sentences = sum(sum(map(line.count, ".!?")) for line in kept)
    return f"{sentences} sentences in the lines that it keeps, 3 are asked for" if sentences < 3 else None


def fineweb(text: str) -> str | None:
    """FineWeb's three rules of its own (arXiv 2406.17557, section 3.6)."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if _share(lines, lambda line: line.endswith(_LINE_ENDS)) <= 0.12:
        return "at most 12% of the lines end in punctuation"
    if _again(lines, len) >= 0.1:
        return "10% of the text and more stands in lines that repeat others"
    if _share(lines, lambda line: len(line) < 30) >= 0.67:
        return "67% of the lines and more are shorter than 30 characters"
    return None


FILTERS: Mapping[str, Filter] = {"gopher": gopher, "c4": c4, "fineweb": fineweb}


def _share(parts: Sequence[str], is_so: Callable[[str], bool]) -> float:
    return sum(map(is_so, parts)) / max(len(parts), 1)


def _again(parts: Sequence[str], size: Callable[[str], int]) -> float:
    """Share, by `size`, of the parts that were there before."""
    return 1 - sum(map(size, set(parts))) / max(sum(map(size, parts)), 1)
