"""The packaged tables: people that can be named in three languages, and the words that are not topics."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from persona_assets.ids import digest

Language = Literal["en", "zh", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_FOLDER = Path(__file__).parent
_FILES = ("occupations.yaml", "words.yaml")
_VOWELS = "aeiou"
_CONSONANT_SOUND = ("uni", "use", "one", "eu")  # written with a vowel, spoken with a consonant
_VOWEL_SOUND = ("hour", "honest", "heir", "honour")


@dataclass(frozen=True)
class Person:
    """An occupation or role in one language, with the forms that phrases need."""

    id: str
    language: Language
    name: str
    genitive: str
    feminine: bool
    role: bool
    things: str
    topics: tuple[str, ...]

    @property
    def indef(self) -> str:
        """The name with an indefinite article (en) or a measure word (zh)."""
        return indefinite(self.name, self.language, self.role)

    @property
    def who(self) -> str:
        """The Russian relative pronoun in this person's gender."""
        return "которая" if self.feminine else "который"

    def g(self, masculine: str, feminine: str) -> str:
        """The form that agrees with this person's grammatical gender."""
        return feminine if self.feminine else masculine


@dataclass(frozen=True)
class Occupation:
    """One row of the table: the person in each language, further names and cue words."""

    id: str
    people: dict[Language, Person]
    aliases: tuple[str, ...]
    cues: dict[Language, tuple[str, ...]]


@dataclass(frozen=True)
class Trait:
    """An adjective that fits any working person: en, zh, ru masculine and feminine."""

    en: str
    zh: str
    ru: tuple[str, str]

    def of(self, person: Person) -> str:
        """The form that agrees with a person; "" for people defined by a situation."""
        if person.role:
            return ""
        if person.language == "ru":
            return self.ru[person.feminine]
        return self.zh if person.language == "zh" else self.en


def indefinite(phrase: str, language: Language, role: bool = False) -> str:
    """An English phrase after "a" or "an", a Chinese one after its measure word; Russian has neither."""
    if language == "zh":
        return f"{'一个' if role else '一名'}{phrase}"
    if language == "ru":
        return phrase
    lower = phrase.lower()
    vowel = (lower[:1] in _VOWELS and not lower.startswith(_CONSONANT_SOUND)) or lower.startswith(_VOWEL_SOUND)
    return f"{'an' if vowel else 'a'} {phrase}"


@cache
def data_digest() -> str:
    """Digest of the packaged files: part of the engine's revision."""
    return digest(b"\0".join((_FOLDER / name).read_bytes() for name in _FILES))


@cache
def words() -> dict[str, Any]:
    """The word lists."""
    loaded: dict[str, Any] = _load("words.yaml")
    return loaded


@cache
def traits() -> tuple[Trait, ...]:
    """The adjectives."""
    return tuple(Trait(row["en"], row["zh"], tuple(row["ru"])) for row in words()["traits"])


@cache
def occupations() -> tuple[Occupation, ...]:
    """The table, in the order of the file."""
    return tuple(_occupation(row) for row in _load("occupations.yaml"))


@cache
def occupation_index() -> dict[str, Occupation]:
    """The table by id."""
    return {occupation.id: occupation for occupation in occupations()}


def _load(name: str) -> Any:  # noqa: ANN401 - YAML
    return yaml.load((_FOLDER / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def _occupation(row: dict[str, Any]) -> Occupation:
    en, zh, ru, genitive, gender = row["names"]
    names: dict[Language, str] = {"en": en, "zh": zh, "ru": ru}
    cues = {language: tuple(row[language]) for language in LANGUAGES}
    people = {
        language: Person(
            id=row["id"],
            language=language,
            name=names[language],
            genitive=genitive if language == "ru" else names[language],
            feminine=gender == "f",
            role=row.get("role", False),
            things=row["things"][position],
            topics=tuple(cue for cue in cues[language] if len(cue) > 1)[:4],
        )
        for position, language in enumerate(LANGUAGES)
    }
    return Occupation(row["id"], people, tuple(row.get("aka", ())), cues)
