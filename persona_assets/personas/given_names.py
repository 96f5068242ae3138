"""Given names, and those of them that are words too, for telling a name from a description.

The lists are data files of this package; a key is a word as they have it: small letters, no accents, е for ё.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path

from persona_assets.ids import digest


def word_set(text: str) -> frozenset[str]:
    """The words of `text`."""
    return frozenset(text.split())


LISTS = tuple(Path(__file__).with_name("data") / f"given_names_{script}.txt" for script in ("latin", "cyrillic"))

# A thing or a place may be what a sentence is about: "May is a busy month for this beekeeper".
_THINGS = word_set(
    "art joy hope faith grace charity patience prudence mercy rose lily ivy iris daisy violet olive ginger basil "
    "sage hazel heather holly jasmine rosemary poppy fern willow cherry clementine ruby pearl jade opal amber "
    "crystal diamond sapphire emerald garnet coral ivory ebony scarlet ash aspen cedar juniper maple linden laurel "
    "myrtle summer winter april may june august dawn eve star sky skye storm rain river brook cliff dale glen heath "
    "reed bill bob mark frank grant will drew rob jack chuck pat sue gene penny cash sterling chase chance ace "
    "blaze honey candy melody harmony lyric cadence aria destiny liberty glory trinity genesis heaven eden zen nova "
    "luna phoenix raven wren robin jay lark wolf fox kit kitty rocky rusty sandy misty cricket pepper cinnamon "
    "brandy sherry margarita teddy max olympia royce ford dell mercedes bentley shell levi major case price"
)
_PLACES = word_set(
    "virginia georgia carolina dakota austin dallas houston paris london sydney florence victoria chelsea brooklyn "
    "madison savannah orlando jordan israel chad india asia kenya america holland ireland lincoln jackson denver "
    "milan vienna sofia alexandria adelaide cairo rome devon chester york lancaster boston bristol salem memphis "
    "montana nevada arizona alaska tennessee texas cuba china persia africa italy florida california indiana "
    "louisiana kansas raleigh charleston camden preston trenton geneva verona siena catalina troy athens hamilton "
    "kingston cheyenne roman jersey"
)
# A role or an adjective may open a description: "Christian, a ...", "Hunter, an old hand at ...".
ROLES = word_set(
    "hunter mason judge bishop king prince duke cooper porter baker sailor captain general ranger rider marine "
    "buddy guy christian german roman norman dean junior senior baron earl chandler fletcher tanner turner carter "
    "marshal marshall deacon page squire archer gunner sawyer tyler tucker weaver miller angel maverick rebel lady "
    "princess queen shepherd saint abbott young love noble scout driver ally doc royal foster ward stone sister "
    "dane champ sonny rookie oracle"
)
_WORDS_RU = word_set(
    "вера надежда любовь роза лев слава роман лилия рада май август лада злата майя герман марк лука мила света "
    "рима султан туман фома лола лика лана леся паша вова цветана флора спартак тарас добрыня поля марта милан "
    "олимпиада мир краса искра заря ия капитон"
)
NOT_STRONG = _THINGS | _PLACES | ROLES | _WORDS_RU
_LETTERS = str.maketrans({"ё": "е", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "ß": "ss", "ı": "i"})
_CYRILLIC = re.compile(r"[а-яё]")


@cache
def given_names() -> frozenset[str]:
    """The keys of all given names."""
    lines = (line for path in LISTS for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


def names_digest() -> str:
    """Digest of the lists; their comments are not part of it."""
    return digest("\n".join(sorted(given_names())).encode())


def key(word: str) -> str:
    """`word` as the lists have it; a hyphenated word as a whole where they have it so, else its first part."""
    word = word.lower().strip(".'’")
    if not _CYRILLIC.search(word) and not word.isascii():
        word = "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
    word = word.translate(_LETTERS)
    return word if word in given_names() else word.split("-")[0]


def is_given(word: str) -> bool:
    """Whether the word is a given name, if maybe something else too."""
    return key(word) in given_names()


def is_strong(word: str) -> bool:
    """Whether the word is a given name and no ordinary word."""
    return is_given(word) and key(word) not in NOT_STRONG
