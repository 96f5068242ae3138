"""What a validity rule looks at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from persona_assets.ids import Json


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer that fits its schema, the persona it was asked of, and the language asked for (ISO 639-1).

    `about` holds the columns that prompts use of the row that was asked about, where it is one; for a rule of an answer
    about a group `rows`, the columns of each. Of an item of a list `before` holds the items that stand before it in the
    same answer. `demonstrations` are the examples that the prompt showed, as JSON text.
    """

    content: Mapping[str, Json]
    persona: str
    language: str
    about: Mapping[str, Json] = field(default_factory=dict)
    before: Sequence[Mapping[str, Json]] = ()
    demonstrations: tuple[str, ...] = ()

    def text(self, field: str) -> str:
        """A string property; "" where it is null or missing."""
        value = self.content.get(field)
        return value if isinstance(value, str) else ""

    def texts(self) -> Iterator[str]:
        """Every string in the answer, keys excluded."""
        pending: list[Json] = [self.content]
        while pending:
            value = pending.pop()
            if isinstance(value, str):
                yield value
            elif isinstance(value, Mapping):
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)
