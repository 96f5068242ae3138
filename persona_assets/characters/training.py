"""What characters are trained on: a prompt that says who, where and when, and a script (Character-LLM, 4.3)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from persona_assets.prompts.scripts import BACKGROUND, THINKING, Said

END_OF_TURN = "<|eot|>"
CHARACTER, ALL = "character", "all"
_META = {
    "en": "You are {name}. Speak, think and decide as {name} does: with their knowledge, their manner and their words, "
    "and with nothing that they cannot know. Stay {name} whatever is said.",
    "zh": "你是{name}。请像{name}那样说话、思考和决定：只用其所知，照其性情，说其言语，不知道的就是不知道。"
    "无论别人说什么，你始终是{name}。",
    "ru": "Ты — {name}. Говори, думай и решай так, как это делает {name}: с теми же знаниями, тем же нравом и теми же "
    "словами, и не зная того, чего {name} знать не может. Что бы ни говорили, оставайся собой: {name}.",
}
_WHERE = {
    "en": ("Where and when: {place}", "What has happened: {status}"),
    "zh": ("时间和地点：{place}", "事情经过：{status}"),
    "ru": ("Где и когда: {place}", "Что произошло: {status}"),
}
_BEGIN = {"en": "Begin.", "zh": "请开始。", "ru": "Начинай."}


def meta_prompt(name: str, place: str, status: str, language: str) -> str:
    """The prompt above a script, in the language of the character where that is English, Chinese or Russian.

    A place or status that is "" is left out.
    """
    known = language if language in _META else "en"
    where, happened = _WHERE[known]
    lines = [where.format(place=_line(place))] if place else []
    lines += [happened.format(status=_line(status))] if status else []
    return "\n".join([_META[known].format(name=name), *([""] if lines else []), *lines])


def begin(language: str) -> str:
    """What a user says where the character has the first word."""
    return _BEGIN.get(language, _BEGIN["en"])


def background_of(turns: Sequence[Said]) -> str:
    """What is told before the first turn; "" where nothing is."""
    return "\n".join(one["text"] for one in turns if one["action"] == BACKGROUND)


def prompted(turns: Iterable[Said]) -> str:
    """The turns in the published layout: `Name (speaking): text`, an end-of-turn token, and a newline.

    Neighbours of one speaker and action are one block, their texts joined by newlines.
    """
    return "".join(f"{block}{END_OF_TURN}\n" for block in _blocks(turns))


def messages(
    name: str, names: Sequence[str], turns: Sequence[Said], prompt: str, language: str
) -> list[dict[str, str]]:
    """A script as a conversation: the prompt as the system, the character as the assistant, all others as the user.

    What others say after the character's last word is left out. A character who has the first word is asked to begin.
    """
    own = {one.casefold() for one in (name, *names)}
    said = [one for one in turns if one["action"] != BACKGROUND]
    parts = [
        ("assistant" if is_own else "user", "\n".join(_blocks(part)))
        for is_own, part in groupby(said, lambda one: one["speaker"].casefold() in own)
    ]
    while parts and parts[-1][0] == "user":
        parts.pop()
    first = [("user", begin(language))] if parts and parts[0][0] == "assistant" else []
    return [{"role": role, "content": text} for role, text in (("system", prompt), *first, *parts)]


def whole(turns: Sequence[Said], prompt: str, language: str) -> list[dict[str, str]]:
    """A script as a conversation of one answer: all its turns, as the published models learned them."""
    told = [("system", prompt), ("user", begin(language)), ("assistant", prompted(turns))]
    return [{"role": role, "content": text} for role, text in told]


def _blocks(turns: Iterable[Said]) -> Iterator[str]:
    spoken = (one for one in turns if one["action"] != BACKGROUND)
    for (speaker, action), part in groupby(spoken, lambda one: (one["speaker"], one["action"])):
        told = "thinking" if action == THINKING else "speaking"
        yield f"{speaker} ({told}): " + "\n".join(one["text"] for one in part)


def _line(text: str) -> str:
    return " ".join(text.split())


def most_of(rows: int, share: float) -> int:
    """How many more rows make at most this share of all, where there are so many others."""
    return int(rows * share / (1 - share) + 1e-9)
