"""What several rules need to know of a text, worked out once, when it is first asked for."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache

from persona_assets.crawl.quality.function_words import FUNCTION_CHARACTERS, FUNCTION_WORDS

# Letters of the text that are looked at, a CJK character counting as three: twice what a model is shown as a rule. So a
# text of any size costs the same.
LOOKED_AT = 12_000
_SAMPLE = 1000  # characters by which a text is taken for CJK
CJK_WEIGHT = 3  # one Chinese character carries about what three letters do
SENTENCE_WORDS = 4
SENTENCE_CJK = 8
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_SENTENCE_END = re.compile(r"[.!?…。！？｡؟۔։።၊။](?=[\s\"'”’»)\]」』】）]|\Z|[\u3040-\u30ff\u3400-\u9fff])|[。！？｡]")
_WORD = re.compile(r"[^\W\d_]+")
# Every sign of ASCII that is no letter or digit becomes a blank; bytes are translated far faster than characters.
_BLANKED = bytes(code if chr(code).isalnum() or code >= 128 else 32 for code in range(256))
_SIGNS = "’‘“”«»„—–…•·№"  # those beyond ASCII that stand in most texts
_CJK_SIGNS = "，。、！？；：“”‘’「」『』（）《》【】〈〉…—·～,.!?;:\"'()|/-"


class Look:
    """The beginning of a text, its lines and its words."""

    def __init__(self, text: str) -> None:
        """Take a normalised text."""
        self.is_cjk = _is_cjk(text[:_SAMPLE])
        self.text = text[: LOOKED_AT // CJK_WEIGHT if self.is_cjk else LOOKED_AT]

    @cached_property
    def chunks(self) -> list[str]:
        """What stands between blanks."""
        return self.text.split()

    @cached_property
    def solid(self) -> int:
        """How many characters are not white space; 1 at least."""
        return max(sum(map(len, self.chunks)), 1)

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not empty, without blanks around them."""
        return [line for part in self.text.split("\n") if (line := part.strip())]

    @cached_property
    def _distinct(self) -> str:
        """The distinct lines in small letters."""
        return "\n".join(dict.fromkeys(self.text.lower().split("\n")))

    @cached_property
    def clauses(self) -> list[str]:
        """What stands between the signs and blanks of a CJK text, in small letters, each line once."""
        return clauses(self._distinct)

    @cached_property
    def words(self) -> Sequence[str]:
        """Words and numbers of all distinct lines, in small letters; of a CJK text each character is a word."""
        if self.is_cjk:
            return "".join(self.clauses).encode("utf-8", "ignore").decode("utf-8")  # without lone surrogates
        text = self._distinct if self._distinct.isascii() else _between(self._distinct, _SIGNS, " ")
        return text.encode("utf-8", "replace").translate(_BLANKED).decode("utf-8").split()

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each of the words stands there."""
        return Counter(self.words)

    @cached_property
    def function_share(self) -> float:
        """Share of the words that join others (the, of, и, 的); what only lists things has few."""
        known = FUNCTION_CHARACTERS if self.is_cjk else FUNCTION_WORDS
        return sum(self.counts[word] for word in known & self.counts.keys()) / max(len(self.words), 1)

    def has_sentences(self, share: float) -> bool:
        """Whether so much of the text stands in sentences: a mark after four words or eight CJK characters."""
        wanted = share * len(self.text)
        for line in self.lines:
            start = 0
            for end in _SENTENCE_END.finditer(line):
                if _is_sentence(line[start : end.start()]):
                    wanted -= end.end() - start
                    if wanted <= 0:
                        return True
                start = end.end()
        return False


def _is_cjk(text: str) -> bool:
    """Whether a third of the characters but blanks are Chinese, Japanese or Korean."""
    if text.isascii():
        return False
    return 3 * len(CJK.findall(text)) >= len(text) - text.count(" ") - text.count("\n")


def clauses(text: str) -> list[str]:
    """What stands between the signs, blanks and line ends of a CJK text."""
    return _between(text, _CJK_SIGNS, " ").split()


def _between(text: str, signs: str, blank: str) -> str:
    """The text with a blank for each of the signs."""
    for sign in signs:
        text = text.replace(sign, blank)
    return text


def _is_sentence(part: str) -> bool:
    return len(_WORD.findall(part)) >= SENTENCE_WORDS or (not part.isascii() and len(CJK.findall(part)) >= SENTENCE_CJK)


@lru_cache(maxsize=1)
def look(text: str) -> Look:
    """The look at a text that the rules share, which judge one text after another."""
    return Look(text)
