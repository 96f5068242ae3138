"""Judges of Russian, as `names_en` of English.

The lists hold nominatives, so a name in another case is somebody else's.
"""

import re

from persona_assets.personas.given_names import is_given, is_strong, key, word_set

FOLLOWING = (
    r"работает|живёт|живет|любит|мечтает|преподаёт|преподает|учится|был|была|пишет|ведёт|ведет|хочет|занимается|"
    r"увлекается|служит"
)
INTRODUCTION = r"знакомьтесь|познакомьтесь(?: с)?|встречайте|это|меня зовут|я"
OWN_NAME = r"(?:(?:меня|её|ее|его) зовут|(?:мо[её]|е[её]|его) имя\s*[—–-])"
DESCRIPTION = (
    r"(?:[\p{L}-]+(?:ая|яя|ый|ий|ой|летний|летняя)\s+){0,3}[\p{L}-]+"
    r"(?:\s+(?:из|с|со|в|на|у|при)\s+[\p{L}-]+(?:\s+[\p{L}-]+)?)?"
)
CALLED = r"(?:по имени|по фамилии|котор(?:ого|ую) зовут|зовут|известн(?:ый|ая)(?:\s[\p{L}-]+){0,3} как)"
TITLES = word_set("доктор профессор господин госпожа майор полковник генерал дядя тетя бабушка дедушка баба дед")
FORMAL_TITLES = frozenset(("доктор", "профессор", "господин", "госпожа", "г-н", "г-жа"))

# Who is spoken of in the next word, in the genitive, is somebody else.
_SOMEBODY_ELSES = re.compile(
    r"^(?:поклонни|фанат|любител|почитател|ценител|учени[кц]|исследовател|биограф|знаток|читател|последовател|мать|"
    r"отец|"
    r"сын|дочь|жена|муж|брат|сестра|друг|подруга|коллега|внук|внучка|вдова|сосед|однокласс|студент|переводчи|редактор|"
    r"издател|жител|уроженец|уроженка)"
)
_PERSON = re.compile(
    r"(?:тель|ница|щик|щица|чик|чица|ник|ист|истка|ор|ер|арь|ач|лог|граф|вец|мец|нец|ент|ант|ир|ица|унья|ка|мужчина|"
    r"женщина|парень|девушка|юноша|мастер|повар|врач|медсестра|мать|отец|бабушка|дедушка|сторож|судья|тренер|повариха|"
    r"директор|капитан|полковник|старик|портной|рабочий|военный|ученый|дежурный|служащий|вожатый|"
    r"рядовой|постовой|заведующий|часовой)$"
)
_SOMEBODY_ELSE = re.compile(
    r"(?i)(?:^|\s)(?:поклонни\w+|фанат\w*|любител\w+|почитател\w+|ценител\w+|учени\w+|исследовател\w+|биограф\w*|"
    r"котор\w+|"
    r"как|его|её|ее|их|про|о|об)(?:\s|$)"
)
# What stands before the name of somebody known: works, honours, places that are called after them.
OF_THE_FAMOUS = re.compile(
    r"(?i)(?:творчеств|стих|поэз|проз|роман|рассказ|пьес|произведени|книг|музык|картин|фильм|песн|музе|имени|памят|"
    r"биограф|поклонни|фанат|любител|почитател|ценител|исследовател|читател|портрет|наследи|эпох|времён|времен|улиц|"
    r"театр|стиле|истори|идеи|идей|трудами|трудов|учени|дневник|письм|переводит|перечитыва|читает|цитир)"
)
_IN_A_PLACE = re.compile(r"\s(?:из|в|на|города|у|под)\s")
_PATRONYMIC = re.compile(r"(?:[ое]вич|ьич|кич|мич|[ое]вна|ична|инична|оглы|кызы)$")
_SURNAME = re.compile(
    r"(?:[ое]в|ин|ын|ск(?:ий|ой|ая)|цк(?:ий|ой|ая)|[ое]ва|ина|ына|енко|[уюч]к|ич|ян|дзе|швили|иани|[ыи]х|ец|айте|ис|"
    r"ко|ой|"
    r"ая|ий|ер|берг|ман|штейн|сон|нен)$"
)
_SURE_MASCULINE = re.compile(r"(?:[ое]в|ин|ын|ский|цкий|енко|швили|дзе)$")
_SURE_FEMININE = re.compile(r"(?:[ое]ва|ина|ская|цкая)$")
_IDOL = re.compile(r"\s*(?:его|её|ее|их|мой|наш|любим|главн|кумир)")  # "Лев Толстой — его кумир"
_OPENING = word_set(
    "без в во для до если за и из или как когда кроме к ко между на над но о об от перед по под после при про с со "
    "среди у через что это этот эта все весь вся мой моя наш наша их его ее один одна два две три"
)
_INITIALS = re.compile(r"(?:[А-ЯЁ]\.[\s-]?)+")


def in_front(words: list[str], mark: str, rest: str) -> bool:
    """Of `words` that open a text; `rest` is what follows `mark`."""
    if _SOMEBODY_ELSES.search(key(words[0])) or mark == ";" or _IDOL.match(rest):
        return False
    if len(words) > 1:
        return _is_full_name(words)
    if not is_given(words[0]) or is_strong(words[0]):
        return is_given(words[0])
    return mark in (",", "(") and bool(re.match(r"\s*(?:\d{1,2}\s|котор)", rest))


def introduced(introduction: str, words: list[str], _mark: str) -> bool:
    """Of `words` after "знакомьтесь", "меня зовут" and the like."""
    if introduction == "меня зовут":
        return True
    known = is_strong(words[0]) or (len(words) > 1 and _is_full_name(words))
    return known or (introduction not in ("это", "я") and not _PERSON.search(key(words[0])))


def beside(description: str, words: list[str], mark: str) -> bool:
    """Of `words` between commas or in brackets after `description`."""
    if not description[0].isupper() or _SOMEBODY_ELSE.search(description):
        return False
    if len(words) > 1:
        return not _SOMEBODY_ELSES.search(key(description.split()[0])) and _is_full_name(words)
    alone = is_strong(words[0]) and mark[:1] in (",", "—", ")") and " " in description
    return alone and not _IN_A_PLACE.search(description)


def after(description: str, words: list[str], mark: str) -> bool:
    """Of `words` straight after `description`, which ends with an occupation."""
    first, occupation = key(description.split()[0]), key(description.split()[-1])
    if not _PERSON.search(occupation) or _SOMEBODY_ELSES.search(first) or _SOMEBODY_ELSE.search(description):
        return False
    if len(words) > 1:
        return _is_full_name(words)
    return is_strong(words[0]) and mark != ""


def called(description: str, _words: list[str], _rest: str) -> bool:
    """Of words after `description` and "по имени"; the shape of `description` leaves nobody else."""
    return not _SOMEBODY_ELSES.search(key(description.split()[0]))


def _is_full_name(words: list[str]) -> bool:
    keys = [key(word) for word in words]
    if any(_PATRONYMIC.search(word) for word in keys[1:]):
        return True
    if any(_INITIALS.fullmatch(word) for word in words):
        return any(_SURNAME.search(word) for word in keys)
    if is_given(words[0]):
        return is_strong(words[0]) or bool(_SURNAME.search(keys[-1]))
    if len(keys) != 2 or _SOMEBODY_ELSES.search(keys[0]) or keys[0] in _OPENING:
        return False
    if is_given(words[1]):
        return (bool(_SURNAME.search(keys[0])) and not _PERSON.search(keys[0])) or bool(_SURE_MASCULINE.search(keys[0]))
    feminine = (
        bool(_SURE_FEMININE.search(keys[1])) and keys[0].endswith(("а", "я", "ь")) and not _PERSON.search(keys[0])
    )
    return feminine or bool(_SURE_MASCULINE.search(keys[1]))
