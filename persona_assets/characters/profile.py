"""What a profile says: a name, paragraphs, and statements that everything later can cite.

A profile is a text such as an encyclopaedia has: a line `# Name`, then paragraphs parted by blank lines, some under
headings. A diary is a profile whose entries have dates: as a heading, or at the beginning of a paragraph.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from persona_assets.characters.dates import leading_date, span_of_life, years_in
from persona_assets.text.sentences import sentence_spans

_TITLE = re.compile(r"^#[ \t]+(.*?)[ \t#]*$")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t#]*$")
_RULE = re.compile(r"^[-=*_]{3,}$")
_ENDS = re.compile(r"[.!?…。！？;；:：,，)\]\"”»」]$")
_LONGEST_HEADING = 80  # characters of a line that may stand for a heading without its mark
_FLOWING = 100  # characters of a line that is not wrapped at a width, so that a short one above it is a heading
_SHORTENED = re.compile(r"(?:^|[\s(])(?:op|opp|no|nos|c|ca|fl|b|d|r|vol)\.$", re.IGNORECASE)  # where a number follows
_GOES_ON = re.compile(r"[(\d]")
_IN_BRACKETS = re.compile(r"\s*[(（\[].*")
_PARTICLES = frozenset(
    [
        "a",
        "al",
        "ap",
        "bin",
        "da",
        "das",
        "de",
        "del",
        "della",
        "den",
        "der",
        "di",
        "do",
        "dos",
        "du",
        "el",
        "ibn",
        "la",
        "le",
        "of",
        "the",
        "ter",
        "van",
        "von",
        "y",
        "zu",
    ]
)
_LATIN_OR_CYRILLIC = re.compile(r"[A-Za-zÀ-ÿА-Яа-яЁё]")


class Unusable(ValueError):
    """A text that is no profile; `reason` is that of the reject."""

    def __init__(self, reason: str, said: str) -> None:
        """`said` tells what is wrong, and the remedy."""
        super().__init__(said)
        self.reason = reason


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, from `start` to `end` in the profile; `date` is that of a diary's entry, as ISO 8601."""

    number: int
    section: str | None
    date: str | None
    start: int
    end: int
    text: str

    def statements(self) -> Iterator[tuple[int, int]]:
        """Where its sentences start and end in the profile, in order."""
        # A line that goes on is no end of a sentence; an item of a list is.
        flowing = re.sub(r"\n(?![ \t]*(?:[-*•]|\d+[.)])[ \t])", " ", self.text)
        open_from: int | None = None
        spans = sentence_spans(flowing)
        for (start, end), following in zip(spans, [*spans[1:], None], strict=True):
            begin = start if open_from is None else open_from
            goes_on = following and _SHORTENED.search(flowing[start:end]) and _GOES_ON.match(flowing, following[0])
            open_from = begin if goes_on else None
            if not goes_on:
                yield self.start + begin, self.start + end


@dataclass(frozen=True)
class Profile:
    """A profile as it stands in its text."""

    name: str
    text: str
    paragraphs: tuple[Paragraph, ...]

    @property
    def dated(self) -> bool:
        """Whether it is a diary."""
        return any(one.date for one in self.paragraphs)

    @property
    def last_year(self) -> int | None:
        """The last year of the life where the first paragraph tells it in brackets, else the last that is told at all.

        None where there is no year in it.
        """
        told = span_of_life(self.paragraphs[0].text)
        return told[1] if told else max((year for one in self.paragraphs for year in _years(one)), default=None)


def _years(paragraph: Paragraph) -> Iterator[int]:
    yield from years_in(paragraph.text)
    if paragraph.date:
        yield int(paragraph.date[:4])


def profile_of(text: str) -> Profile:
    """Reads a profile.

    Raises:
        Unusable: it has no line `# Name`, several of them, or no paragraph.
    """
    lines = [*_lines(text)]
    titles = [(number, found[1]) for number, (_, line) in enumerate(lines, 1) if (found := _TITLE.match(line))]
    if not titles or not titles[0][1]:
        raise Unusable("no_name", "it has no line `# Name`: begin with one")
    if len(titles) > 1:
        where = f"lines {titles[0][0]} and {titles[1][0]}"
        raise Unusable(
            "several_names", f"{where} are both a title `# ...`: a profile is of one, sections have `## ...`"
        )
    above = [line for _, line in lines[: titles[0][0] - 1] if line.strip()]
    if above:
        raise Unusable("no_name", f"text stands above its line `# Name` (line {titles[0][0]}): put that first")
    reading = _Reading(text)
    for start, line in lines[titles[0][0] :]:
        reading.add(start, line)
    paragraphs = reading.end()
    if not paragraphs:
        raise Unusable("no_paragraphs", "it has a name and nothing else: tell of them below it")
    return Profile(_IN_BRACKETS.sub("", titles[0][1]).strip() or titles[0][1], text, paragraphs)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text with where they start."""
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


@dataclass
class _Reading:
    """Takes lines into paragraphs."""

    text: str
    found: list[Paragraph] = field(default_factory=list)
    section: str | None = None
    date: str | None = None
    open: list[tuple[int, str]] = field(default_factory=list)
    bare: list[tuple[int, str]] = field(default_factory=list)  # a line that is a heading if something follows it

    def add(self, start: int, line: str) -> None:
        marked = _HEADING.match(line)
        if marked or not line.strip() or _RULE.match(line.strip()):
            self._close()
            if marked and marked[1]:
                self._head(marked[1])
        else:
            self.open.append((start, line))

    def _head(self, title: str) -> None:
        date, after = leading_date(title)
        self.date, self.section = (date, title[after:].strip() or None) if date else (None, title)
        self.bare = []

    def _close(self) -> None:
        if not self.open:
            return
        block, self.open = self.open, []
        if self.bare:
            [(_, line)], self.bare = self.bare, []
            self._head(line.strip())
        first = block[0][1].strip()
        is_short = len(first) <= _LONGEST_HEADING and not _ENDS.search(first)
        if is_short and len(block) == 1:
            self.bare = block
            return
        if is_short and len(block[1][1]) > _FLOWING:
            self._head(first)
            block = block[1:]
        self._paragraph(block)

    def _paragraph(self, block: list[tuple[int, str]]) -> None:
        first, last = block[0], block[-1]
        start, end = first[0] + len(first[1]) - len(first[1].lstrip()), last[0] + len(last[1].rstrip())
        date, after = leading_date(self.text[start:end])
        if date and start + after < end:
            self.date, start = date, start + after
        text = self.text[start:end]
        self.found.append(Paragraph(len(self.found), self.section, self.date, start, end, text))

    def end(self) -> tuple[Paragraph, ...]:
        self._close()
        if self.bare:  # nothing follows it, so it is no heading
            self._paragraph(self.bare)
        return tuple(self.found)


def names_of(name: str) -> list[str]:
    """How others may call somebody: the whole name, then its parts but for particles; of a Chinese name also the rest
    behind its first character.
    """
    parts = re.split(r"[\s·•]+", name)
    own = [part for part in parts if len(part) > 1 and part.lower() not in _PARTICLES and part[0] == part[0].upper()]
    given = [name[1:]] if len(parts) == 1 and len(name) > 2 and not _LATIN_OR_CYRILLIC.search(name) else []
    return list(dict.fromkeys([name, *own, *given]))
