"""What is said to a character first, and what it answers."""

import pytest

from persona_assets.characters.protective import first_exchange, room

Turn = tuple[str, str, str]


def turns(*told: Turn) -> list[dict[str, str]]:
    return [{"speaker": speaker, "action": action, "text": text} for speaker, action, text in told]


@pytest.mark.parametrize(
    ("told", "asked", "answered"),
    [
        ([("Man", "speaking", "A?"), ("Ada", "speaking", "B."), ("Man", "speaking", "C?")], "A?", "B."),
        ([("Background", "background", "X."), ("Man", "speaking", "A?"), ("ADA", "speaking", "B.")], "A?", "B."),
        ([("Man", "speaking", "A?"), ("Boy", "speaking", "B?"), ("Ada", "speaking", "C.")], "A?\nB?", "C."),
        ([("Man", "speaking", "A?"), ("Ada", "thinking", "B."), ("Ada", "speaking", "C.")], "A?", "C."),
        ([("Ada", "speaking", "A."), ("Man", "speaking", "B?"), ("Ada", "speaking", "C.")], "", "A."),
        ([("Man", "speaking", "A?")], "A?", ""),
        ([], "", ""),
    ],
)
def test_the_first_exchange_ends_where_somebody_else_speaks(told: list[Turn], asked: str, answered: str) -> None:
    assert first_exchange(turns(*told), ["Ada Quill", "Ada"]) == (asked, answered)


def test_a_room_has_a_name_in_every_language() -> None:
    assert len({room(language) for language in ("en", "zh", "ru")}) == 3
    assert room("de") == room("en")
