"""What a model wrote of a persona, as the text of a profile."""

import re
from collections.abc import Mapping
from typing import Any

_PARTS = ("people", "places", "beliefs", "way_of_speaking")
_TITLES = {
    "en": ("People", "Places", "Beliefs", "Way of speaking"),
    "zh": ("人物", "地方", "信念", "说话的方式"),
    "ru": ("Люди", "Места", "Убеждения", "Манера говорить"),
}
_MARKS = re.compile(r"^[\s#>*+\-=_|`]+")  # what would make a line more than a text


def told_as_profile(row: Mapping[str, Any], language: str) -> str:
    """The profile, `# Name` first, then a paragraph for each stage of the life, then the other parts under headings.

    `row` has the texts `name`, `life`, whose lines are its stages, `people`, `places`, `beliefs` and `way_of_speaking`.
    """
    lines = [f"# {_line(row['name'])}", *map(_line, row["life"].split("\n"))]
    for part, title in zip(_PARTS, _TITLES.get(language, _TITLES["en"]), strict=True):
        if text := _line(row[part]):
            lines += [f"## {title}", text]
    return "\n\n".join(line for line in lines if line) + "\n"


def _line(text: str) -> str:
    """A text on one line, without marks at its beginning that would make it a heading or an item."""
    return _MARKS.sub("", " ".join(text.split()))
