"""Judges of English: whether capitalised words in a place for a name are the name of the person described.

`words` are those words, without titles; `mark` is what follows them (a comma, "who", "is", nothing); `description` is
the text before them.
"""

import re

from persona_assets.personas.given_names import ROLES, is_given, is_strong, key, word_set

# What may follow a name beside marks: alternatives of a pattern. The last is any verb, or a plural.
FOLLOWING = (
    r"who|whose|is|was|has|had|works|lives|loves|likes|enjoys|runs|teaches|studies|wants|dreams|hopes|spends|believes|"
    r"grew|keeps|writes|aged|from|and|\p{Ll}{2,}s"
)
INTRODUCTION = (
    r"meet|introducing|this is|say hello to|let me introduce|here is|here['’]s|(?:hi|hello)[,!]? (?:i['’]m|i am)|"
    r"(?:hi[,!]? |hello[,!]? )?my name is|call me|i am called|i am|i['’]m|as"
)
OWN_NAME = (
    r"(?:(?:my|her|his|their) (?:first )?(?:name is|name['’]s)|"
    r"the (?:person|protagonist|persona|individual|subject|main character|user) is)"
)
DESCRIPTION = r"(?:[Aa]n?\s+|[Tt]he\s+|I am an?\s+|I['’]m an?\s+)?[^,;:()]{3,90}?"
CALLED = (
    r"[\s,]+(?:named|called|whose (?:first )?name is|by the name of|(?:better |also )?known as|who is (?:called|named)|"
    r"who goes by(?: the name(?: of)?)?)"
)
TITLES = word_set(
    "dr mr mrs ms miss prof professor sir dame father sister captain chef coach detective judge officer sergeant "
    "colonel general lieutenant senator president rabbi reverend rev pastor imam aunt uncle grandma grandpa"
)
FORMAL_TITLES = word_set("dr mr mrs ms miss prof professor sir dame rev reverend")
OPENING = word_set(
    "a an the i my your our this that these those one some at in on for with it he she they if when while after "
    "before although since because then but and so also again among by during to from of no not what why how where "
    "there"
)

# What may open or end a description: then capitals are no name.
_MAY_DESCRIBE = re.compile(
    r"(?i)(?:er|or|ist|ian|ican|ese|ish|ant|ent|ee|eur|man|woman|person|mate|chef|judge|nurse|cook|clerk|coach|pilot|"
    r"analyst|architect|advocate|executive|representative|official|specialist|scholar|fan|expert|smith|wife|husband|"
    r"mom|dad|boss|guard|head|chief|youth|elder|retiree|novice|veteran|native|citizen|master|founder|parent|child|kid|"
    r"couple|duo|al|latin[ao]|author|freelance|resident|guru|pro|intern)$"
)
# What a surname hardly ever is, so that "Virginia Farmer" is a farmer and "Virginia Baker" a name.
_TRADE = re.compile(
    r"(?i)(?:ologist|ician|arian|neer|grapher|^(?:teacher|developer|manager|lawyer|driver|designer|grower|farmer|"
    r"breeder|writer|researcher|director|doctor|professor|student|resident|officer|scientist|musician|worker|dancer|"
    r"planner|programmer|senator|governor|native|nurse|coach|chef|pilot|editor|analyst|architect|consultant|accountant|"
    r"artist|journalist|university|college|school|hospital|bank|company|institute|museum|street|road|avenue|city|"
    r"county|valley|beach|park|hills?|island|lake|river|team|club|tech|state|inc|ltd|corp))$"
)
FANS = frozenset(
    ("fans", "lovers", "followers", "readers", "enthusiasts", "books", "stories", "films", "movies", "shows")
)
FAN = re.compile(
    r"(?i)(?:^|\s)(?:fans?|lovers?|enthusiasts?|admirers?|scholars?|devotees?|aficionados?|buffs?|impersonators?|"
    r"biographers?|collectors?|readers?|followers?|fanatics?|nerds?|geeks?|historians?|translators?|experts?|"
    r"researchers?|specialists?|actors?|superfans?|stans?|imitators?|disciples?|interpreters?|supporters?|students?|"
    r"listeners?|owners?|users?)$"
)
_PERSON = re.compile(
    r"(?i)\b(?:person|(?:wo)?man|boy|girl|lady|gentleman|mother|father|widow|widower|child|teen|student|nurse|kid|"
    r"someone|somebody|guy|character)\b"
)
# Somebody or something else in a description, whose name it may be.
_OTHERS = (
    r"who|whom|whose|that|which|another|some|his|her|their|its|my|our|named?|like|such as|between|loves?|likes?|"
    r"admir\w+|follow\w+|fans?|lovers?|enthusiasts?|admirers?|disciples?|devotees?|portraying|playing|read\w*|studying|"
    r"impersonat\w+|about|by"
)
_SOMEBODY_ELSE = re.compile(rf"(?i)(?:^|\s)(?:an?|the|{_OTHERS})(?:\s|$)")
_SOMEBODY_ELSE_BUT_PLACES = re.compile(rf"(?i)(?:^|\s)(?:{_OTHERS}|of|with|to|for)(?:\s|$)")
_ARTICLE = re.compile(r"(?i)^(?:an?|the|i am an?|i['’]m an?)\s+")
_IN_A_PLACE = re.compile(r"\s(?:from|in|near|of|at)\s")
_PREPOSITION = re.compile(r"(?i)(?:^|\s)(?:of|for|in|at|on|with|under|to|after|over|near|from)(?:\s|$)")
_AGE = re.compile(r"\s*(?:an?\s+)?(?:aged\s+)?\d{1,2}(?:[,;)\s-]|$)")
_DESCRIPTION_FOLLOWS = re.compile(r"\s*(?:an?|the|who|whose|one of the|\d|[A-Z]|一)")
_SURE_TO_FOLLOW = frozenset(FOLLOWING.split("|"))
_AFTER_A_VERB = re.compile(r"\s*(?:an?|the|in|on|at|to|for|with|as|every|his|her|their|old|young|\w+ly|\w+s)\s")
_INITIALS = re.compile(r"(?:[A-Z]\.)+")
_ABBREVIATIONS = re.compile(r"(?:U\.S\.|U\.K\.|D\.C\.|U\.N\.|N\.Y\.|E\.U\.|L\.A\.)")
_LIST_OF_IDOLS = re.compile(r"\s*(?:[A-Z][\w'’.-]*[ ,]+)+(?:and|&)\s.*\b(?:fan|lover|enthusiast|admirer|listener)\b")
_NOUN_PHRASE = re.compile(
    r"\s*(?:an?|the|one of the)\s+((?:[\w'’-]+\s+){0,6}?[\w'’-]+)"
    r"(?=\s*(?:[,.;]|$)|\s+(?:who|that|with|from|in|at|of|for|to|and|by|on|whose)\b)"
)


def in_front(words: list[str], mark: str, rest: str) -> bool:
    """Of `words` that open a text; `rest` is what follows `mark`."""
    if FAN.search(words[-1]) or mark in ("and", ";"):
        return False
    if mark.endswith("s") and mark not in _SURE_TO_FOLLOW:  # a verb, if not the plural of "Beatles records"
        return is_strong(words[0]) and bool(_AFTER_A_VERB.match(rest))
    return _single(words[0], mark, rest) if len(words) == 1 else _several(words, mark, rest)


def _single(word: str, mark: str, rest: str) -> bool:
    aged = mark in (",", "，", "(", "is", "was", "aged", "—", "–") and bool(_AGE.match(rest))
    if not is_given(word):
        return aged and not _may_describe([word])
    if is_strong(word):
        return mark != "from" or rest.lstrip()[:1].isupper()
    if aged or key(word) in ROLES:
        return aged
    return _is_person(rest) if mark in ("is", "was") else mark in (",", "，") and bool(_DESCRIPTION_FOLLOWS.match(rest))


def _several(words: list[str], mark: str, rest: str) -> bool:
    if mark == "," and _LIST_OF_IDOLS.match(rest):
        return False
    if is_given(words[0]) or not words[0].isascii():  # English has no letters with accents
        return not (_TRADE.search(words[-1]) and not is_strong(words[0]))
    if mark == "from" or _is_pinyin(words):
        return mark != "from"
    if any(_INITIALS.fullmatch(word) and not _ABBREVIATIONS.match(word) for word in words[:2]):
        return bool(mark) and not _TRADE.search(words[-1])
    follows = mark in ("who", "whose") or (
        _is_person(rest) if mark in ("is", "was") else _DESCRIPTION_FOLLOWS.match(rest)
    )
    return bool(follows) and mark not in ("", ":") and not _may_describe(words)


def introduced(introduction: str, words: list[str], mark: str) -> bool:
    """Of `words` after "meet", "I am" and the like."""
    if "name is" in introduction or introduction in ("call me", "i am called"):
        return True
    known = is_given(words[0]) and key(words[0]) not in ROLES
    if introduction == "as":
        return known and mark == ","
    if introduction in ("meet", "introducing", "say hello to", "let me introduce"):
        return known or not _may_describe([words[0], words[-1]])
    return (known and mark != "from") or (len(words) > 1 and not _may_describe(words) and not FAN.search(words[-1]))


def beside(description: str, words: list[str], mark: str) -> bool:
    """Of `words` between commas or in brackets after `description`."""
    described = _ARTICLE.sub("", description)
    opens = description[0].isupper() or described != description
    if _SOMEBODY_ELSE.search(described) or not opens or FAN.search(words[-1]):
        return False
    in_a_place = bool(_IN_A_PLACE.search(description))
    if len(words) == 1:
        return is_strong(words[0]) and not in_a_place and not mark.startswith((")", "）"))
    if is_given(words[0]):
        return is_strong(words[0]) or (not in_a_place and not _TRADE.search(words[-1]))
    return (
        not in_a_place
        and not mark.startswith((")", "）"))
        and bool(_MAY_DESCRIBE.search(described))
        and not _may_describe(words)
    )


def after(description: str, words: list[str], mark: str) -> bool:
    """Of `words` straight after `description`, which ends with an occupation."""
    described, occupation = _ARTICLE.sub("", description), description.split()[-1]
    if _SOMEBODY_ELSE.search(described) or _PREPOSITION.search(described) or mark in ("and", "from", ";"):
        return False
    if not _MAY_DESCRIBE.search(occupation) or FAN.search(occupation) or FAN.search(words[-1]):
        return False
    if len(words) == 1:
        return is_strong(words[0]) and mark in (",", "(")
    return is_given(words[0]) and not (_TRADE.search(words[-1]) and not is_strong(words[0]))


def called(description: str, words: list[str], rest: str) -> bool:
    """Of `words` after `description` and "named": the person's, not a dog's, a child's or a town's."""
    described = _ARTICLE.sub("", description)
    last = described.split()[-1] if described.split() else ""
    if _SOMEBODY_ELSE.search(described):
        full_name = len(words) > 1 and is_given(words[0]) and re.match(r",?\s+who\b", rest)
        return bool(full_name) and not _SOMEBODY_ELSE_BUT_PLACES.search(described)
    if " of " in described and last.islower() and last.endswith("s"):  # "a keeper of elephants named"
        return False
    return is_strong(words[0]) or bool(_MAY_DESCRIBE.search(last) or _PERSON.search(described))


def _may_describe(words: list[str]) -> bool:
    return any(_MAY_DESCRIBE.search(word) or word.isupper() for word in words) or bool(_TRADE.search(words[-1]))


def _is_person(rest: str) -> bool:
    """Whether what follows "is" says a kind of person."""
    phrase = _NOUN_PHRASE.match(rest)
    return bool(phrase and (_MAY_DESCRIBE.search(phrase[1]) or _PERSON.search(phrase[1])))


# Names of Chinese people in Latin letters: two words of one or two syllables each, one of them a surname.
_SYLLABLE = (
    r"(?:[bpmfdtnlgkhjqxrzcsyw]|zh|ch|sh)?(?:a|ai|an|ang|ao|e|ei|en|eng|er|i|ia|ian|iang|iao|ie|in|ing|iong|iu|o|ong|"
    r"ou|u|ua|uai|uan|uang|ui|un|uo|ue)"
)
_PINYIN = re.compile(rf"(?:{_SYLLABLE}){{1,2}}")
_PINYIN_SURNAMES = word_set(
    "li wang zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he lin gao luo zheng liang xie tang deng "
    "feng han cao peng zeng xiao tian dong pan yuan cai jiang yu du ye cheng wei su lu ding ren shen yao cui zhong "
    "tan fan shi liao jia xia fu fang zou xiong bai meng qin qiu hou yin xue yan lei long duan hao kong shao mao "
    "wan gu lai kang qian niu hong gong"
)


def _is_pinyin(words: list[str]) -> bool:
    keys = [word.lower().replace("-", "") for word in words]
    is_shaped = len(keys) == 2 and all(_PINYIN.fullmatch(word) for word in keys)
    return is_shaped and not _PINYIN_SURNAMES.isdisjoint(keys)
