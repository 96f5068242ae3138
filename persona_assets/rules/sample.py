"""What a validity rule looks at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from persona_assets.ids import Json


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer that fits its schema, the persona it was asked of, and the language asked for (ISO 639-1)."""

    content: Mapping[str, Json]
    persona: str
    language: str

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
