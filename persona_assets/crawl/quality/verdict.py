"""The verdict on a document: the first rule that it breaks, with thresholds as the settings have them."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.rules.registry import Rule, rules
from persona_assets.settings import Settings

OFF, ON = "off", "on"
_See = Callable[[str, Settings], str | None]


def judge(text: str, settings: Settings) -> tuple[str, str] | None:
    """The first rule that a normalised text breaks, as (reason, detail), or None.

    Rules stand in the order of `rules.registry`, so that the reason given is the deepest one: damage before length,
    length before style.

    Raises:
        UsageError: `settings.quality` names a rule or a threshold that there is not.
    """
    for name, see in _set(tuple(settings.quality.items())):
        detail = see(text, settings)
        if detail:
            return name, detail
    return None


def check(settings: Settings) -> None:
    """Look at `settings.quality`, before any text is there.

    Raises:
        UsageError: it names a rule or a threshold that there is not.
    """
    _set(tuple(settings.quality.items()))


@lru_cache(maxsize=8)
def _set(quality: tuple[tuple[str, str | float], ...]) -> tuple[tuple[str, _See], ...]:
    """The rules that are on, each with its thresholds."""
    known = rules("document")
    off: set[str] = set()
    given: dict[str, dict[str, float]] = {}
    for key, value in quality:
        name, dot, threshold = key.partition(".")
        rule = _rule(name, known, key)
        if not dot:
            off |= {name} if _is_off(key, value) else set()
        elif threshold not in rule.thresholds:
            have = ", ".join(rule.thresholds) or "none"
            raise UsageError(f"PERSONA_QUALITY: {key}: the thresholds of {name} are: {have}")
        elif isinstance(value, str):
            raise UsageError(f"PERSONA_QUALITY: {key}={value}: a threshold is a number")
        else:
            given.setdefault(name, {})[threshold] = value
    on = (one for one in known.values() if one.name not in off)
    return tuple((one.name, partial(one.see, **given[one.name]) if one.name in given else one.see) for one in on)


def _rule(name: str, known: Mapping[str, Rule], key: str) -> Rule:
    if name not in known:
        said = f"there is no rule {name}; {did_you_mean(name, sorted(known))}"
        raise UsageError(f"PERSONA_QUALITY: {key}: {said}")
    return known[name]


def _is_off(key: str, value: str | float) -> bool:
    if value not in (OFF, ON):
        raise UsageError(f"PERSONA_QUALITY: {key}={value}: write {key}=off, or {key}.THRESHOLD=NUMBER")
    return value == OFF


def language(code: str, confidence: float, settings: Settings) -> str | None:
    """The document's language is not among those asked for, or is a guess; both as `text.language.identify` gives them.

    A language that the model does not know is taken for one that it knows, with little confidence.
    """
    asked = ", ".join(settings.languages)
    if code not in settings.languages:
        return f"{code} with confidence {confidence:.2f}, asked for are {asked}"
    if confidence < settings.min_language_confidence:
        return f"{code} with confidence {confidence:.2f}, {settings.min_language_confidence} is asked for"
    return None
