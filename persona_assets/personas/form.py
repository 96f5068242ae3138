"""The form of a persona's sentence, drawn by what it is asked about: with one for all, all personas sound alike."""

from persona_assets.ids import canonical_json, digest

OPENINGS = (
    "what they do all day",
    "the situation that they are in just now",
    "their stage of life",
    "where they live or work",
    "what they want or worry about",
    "a habit or a skill of theirs",
)
LENGTHS = ("8 to 16 words", "14 to 26 words", "22 to 40 words")


def form_of(row_id: str, relation: str) -> str:
    """What a sentence begins with, and how long it is: the same for a row and a relation on any machine."""
    drawn = int(digest(canonical_json(["form", row_id, relation])), 16)
    opening, length = OPENINGS[drawn % len(OPENINGS)], LENGTHS[drawn // len(OPENINGS) % len(LENGTHS)]
    return f"begins with {opening}; {length}"
