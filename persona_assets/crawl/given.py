"""A row that holds a persona already: only damage and its language count here, as the rules of personas follow."""

from persona_assets.rules.registry import rules
from persona_assets.settings import Settings

DAMAGE = ("too_large", "not_text", "undecodable")  # of the rules of documents; the others judge pages


def judge_persona(text: str, settings: Settings) -> tuple[str, str] | None:
    """Why a normalised text can be no persona at all, as (reason, detail), or None."""
    if not text:
        return "empty", "only white space"
    for one in rules("document").values():
        if one.name in DAMAGE and (detail := one.see(text, settings)):
            return one.name, detail
    return None
