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


def form_of(text: str, relation: str) -> str:
    """What a sentence begins with, and how long it is: the same for a text and a relation on any machine.

    By the text and not by an id, so that a page that comes again under another address asks nothing new.
    """
    drawn = int(digest(canonical_json(["form", text, relation])), 16)
    opening, length = OPENINGS[drawn % len(OPENINGS)], LENGTHS[drawn // len(OPENINGS) % len(LENGTHS)]
    return f"begins with {opening}; {length}"
