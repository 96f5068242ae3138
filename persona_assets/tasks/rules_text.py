"""Rules about any text: length, language, and what models say instead of doing what they were asked."""

import re
from itertools import islice

from persona_assets.tasks.sample import Sample, words
from persona_assets.text.language import identify

_ECHO_GRAM = 4  # words in a row that two texts seldom share by chance
_ECHO_SHARE = 0.6
_MIN_CONFIDENCE = 0.8  # below it the identification of a few sentences is a guess
_MIN_OWN_SCRIPT = 0.3  # share of letters in the language's script; names, formulas and code are in another
_SHOWN = 80
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPTS = {
    "zh": re.compile(r"[\u3400-\u9fff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "en": re.compile(r"[A-Za-z]"),
}

_META = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|great question|okay|ok)\b\s*[,!:.—-]"
    r"|^\W*(?:here(?:'s|’s| is| are)|below is)\s+(?:a|an|the|your|some|one|my)\b"
    r"|^\W*(?:i'm|i’m|i am) (?:sorry|afraid|unable)\b"
    r"|^\W*(?:sorry, )?i (?:can't|can’t|cannot|can not|won't|am not able to) "
    r"(?:help|assist|provide|create|fulfil|fulfill|comply|generate|write|answer)\b"
    r"|\bas requested\b|\b(?:the|this|given|provided) persona\b|\bpersona description\b"
    r"|^\W*(?:当然[，,！!。]|好的[，,！!。]|没问题[，,！!]|以下是|下面是(?:一|为|根据))"
    r"|^\W*(?:很)?(?:抱歉|对不起)[，,]?我(?:无法|不能)|^\W*我(?:无法|不能)(?:提供|回答|协助|满足)"
    r"|(?:根据|按照)(?:你|您)(?:的要求|提供的)"
    r"|(?:该|这个|上述)(?:人设|角色设定)"
    r"|^\W*(?:конечно|разумеется|хорошо|безусловно)\s*[,!:.—-]|^\W*вот\s+(?:ваш|текст|задача|пример|статья|ответ|один)"
    r"|^\W*(?:извините|простите|к сожалению),?\s+(?:но\s+)?я\s+не\s+могу"
    r"|^\W*я не могу (?:помочь|предоставить|выполнить|ответить)"
    r"|\bкак вы просили\b|\b(?:данн|указанн)\w+ персон\w*",
    re.IGNORECASE,
)
_AI = re.compile(
    r"\bas an? (?:\w+ )?(?:ai|artificial intelligence|language model)\b"
    r"|\bi(?:'m|’m| am) (?:just |only )?(?:an? )?(?:\w+ )?(?:ai\b(?! \w*(?:researcher|engineer|developer|student))"
    r"|language model|chatbot)"
    r"|作为(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型)|我(?:只)?是(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型)"
    r"|\bкак (?:языковая модель|искусственный интеллект|ии)\b"
    r"|\bя\s*(?:—|-|–|всего лишь|просто)*\s*(?:языковая модель|ии\b)",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"[\[<{](?:insert|enter|your|name|topic|persona|fill in|placeholder)\b[^\]>}]{0,60}[\]>}]"
    r"|\{\{[^}]{0,80}\}\}|\blorem ipsum\b|\bTODO\b|\bXXX+\b"
    r"|[\[【<](?:请?(?:填写|插入|输入)|姓名|主题|人设)[^\]】>]{0,40}[\]】>]"
    r"|[\[<](?:вставьте|введите|ваш\w{0,3}|имя|тема)\b[^\]>]{0,60}[\]>]",
    re.IGNORECASE,
)


def min_words(sample: Sample, field: str, words: int) -> str | None:
    """At least so many words (Chinese and Japanese: characters)."""
    found = _count(sample, field)
    return f"{field} has {found} words, fewer than {words}" if found < words else None


def max_words(sample: Sample, field: str, words: int) -> str | None:
    """At most so many words (Chinese and Japanese: characters)."""
    found = _count(sample, field)
    return f"{field} has {found} words, more than {words}" if found > words else None


def _count(sample: Sample, field: str) -> int:
    return len(words(sample.text(field)))


def no_meta_talk(sample: Sample) -> str | None:
    """No text opens with a refusal or an announcement, or talks about the request."""
    return _first_match(_META, sample)


def no_ai_self_reference(sample: Sample) -> str | None:
    """Nobody calls themselves a language model."""
    return _first_match(_AI, sample)


def no_placeholder(sample: Sample) -> str | None:
    """No blank is left to be filled in."""
    return _first_match(_PLACEHOLDER, sample)


def _first_match(pattern: re.Pattern[str], sample: Sample) -> str | None:
    found = (match for text in sample.texts() if (match := pattern.search(text)))
    return next((f"found: {match.group(0)[:_SHOWN]}" for match in islice(found, 1)), None)


def no_persona_echo(sample: Sample, field: str) -> str | None:
    """The text does not merely repeat the persona."""
    persona, text = _grams(sample.persona), _grams(sample.text(field))
    share = len(persona & text) / len(persona) if persona else 0.0
    return f"{field} repeats {share:.0%} of the persona" if share > _ECHO_SHARE else None


def _grams(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[start : start + _ECHO_GRAM]) for start in range(len(tokens) - _ECHO_GRAM + 1)}


def language_matches(sample: Sample, field: str) -> str | None:
    """The text is in the language that was asked for, by script and, beside Chinese, by identification."""
    text = sample.text(field)
    letters = _LETTER.findall(text)
    script = _SCRIPTS.get(sample.language)
    if script:
        own = len(script.findall(text)) / max(len(letters), 1)
        if own < _MIN_OWN_SCRIPT:
            return f"{field} has {own:.0%} letters of the script of {sample.language}"
    if sample.language == "zh":  # identification adds only mistakes there
        return None
    (found, confidence), *_ = identify([text])
    if found != sample.language and confidence >= _MIN_CONFIDENCE:
        return f"{field} is in {found} ({confidence:.2f}), asked for {sample.language}"
    return None
