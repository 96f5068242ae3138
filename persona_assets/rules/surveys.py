"""Rules of surveys and interviews."""

import unicodedata

from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_SHOWN = 80


@rule(repairs=True)
def among_options(sample: Sample, field: str, options: str = "options") -> str | None:
    """The value is the id of one of the row's options, or null."""
    chosen = sample.content.get(field)
    listed = sample.about.get(options)
    known = [one.get("id") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if chosen is None or chosen in known:
        return None
    return f"{field} is {str(chosen)[:_SHOWN]!r}, not one of {', '.join(map(str, known))}"


@rule(repairs=True)
def quotes_speaker(sample: Sample, field: str, talk: str, speaker: str) -> str | None:
    """The text stands, whatever its spaces and case, in one of the speaker's turns of the talk that was asked about."""
    turns = sample.about.get(talk)
    said = (
        [_plain(one.get("text")) for one in turns if one.get("speaker") == speaker] if isinstance(turns, list) else []
    )
    quote = _plain(sample.text(field)).strip("\"'«»“”.。… ")
    if quote and any(quote in one for one in said):
        return None
    return f"{field} is not what {speaker} said: {quote[:_SHOWN]!r}"


def _plain(text: object) -> str:
    return " ".join(unicodedata.normalize("NFKC", str(text)).casefold().split())
