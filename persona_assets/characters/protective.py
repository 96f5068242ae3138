"""What a character says to somebody who asks about what it cannot know."""

from collections.abc import Sequence

from persona_assets.prompts.scripts import SPEAKING, Said

_ROOM = {"en": "A room", "zh": "一间屋子里", "ru": "Комната"}


def room(language: str) -> str:
    """Where protective experiences are set, in the language of the character or in English (Character-LLM: A room)."""
    return _ROOM.get(language, _ROOM["en"])


def first_exchange(turns: Sequence[Said], names: Sequence[str]) -> tuple[str, str]:
    """What is said to the character first, and what it answers; "" for what there is not.

    `names` are those that the character is called by. An answer ends where somebody else speaks.
    """
    own = {name.casefold() for name in names}
    asked, answered = list[str](), list[str]()
    for one in turns:
        if one["action"] != SPEAKING:
            continue
        is_own = one["speaker"].casefold() in own
        if answered and not is_own:
            break
        (answered if is_own else asked).append(one["text"])
    return "\n".join(asked), "\n".join(answered)
