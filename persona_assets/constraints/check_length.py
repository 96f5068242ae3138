"""Checkers of length: words (in Chinese characters), sentences, paragraphs, parts."""

from persona_assets.constraints.blocks import lines, paragraphs, parts
from persona_assets.constraints.checked import Asked, checks, counted
from persona_assets.constraints.sentences import sentence_count
from persona_assets.constraints.words import word_list

_CLOSED = '.!?。！？…:：;；"”»」』)）'


def _words(asked: Asked) -> int:
    """The words of the answer without the numbers of list items."""
    return sum(len(word_list(line.text)) for line in lines(asked.answer))


def _told(asked: Asked, count: int) -> str:
    return counted(count, "character", "characters") if asked.language == "zh" else counted(count, "word", "words")


@checks("words_at_least")
def words_at_least(asked: Asked) -> str | None:
    """At least n words."""
    count = _words(asked)
    return f"has {_told(asked, count)}, at least {asked.n:,} wanted" if count < asked.n else None


@checks("words_at_most")
def words_at_most(asked: Asked) -> str | None:
    """At most n words, and one at least."""
    count = _words(asked)
    return f"has {_told(asked, count)}, at most {asked.n:,} wanted" if not 0 < count <= asked.n else None


@checks("words_between")
def words_between(asked: Asked) -> str | None:
    """From low to high words."""
    count, low, high = _words(asked), asked.number("low"), asked.number("high")
    return f"has {_told(asked, count)}, {low:,} to {high:,} wanted" if not low <= count <= high else None


@checks("sentences_at_least")
def sentences_at_least(asked: Asked) -> str | None:
    """At least n sentences."""
    count = sentence_count(asked.answer)
    return f"has {counted(count, 'sentence', 'sentences')}, at least {asked.n} wanted" if count < asked.n else None


@checks("sentences_at_most")
def sentences_at_most(asked: Asked) -> str | None:
    """At most n sentences, and one at least."""
    count = sentence_count(asked.answer)
    told = counted(count, "sentence", "sentences")
    return f"has {told}, at most {asked.n} wanted" if not 0 < count <= asked.n else None


@checks("sentences_exactly")
def sentences_exactly(asked: Asked) -> str | None:
    """Exactly n sentences."""
    count = sentence_count(asked.answer)
    return f"has {counted(count, 'sentence', 'sentences')}, exactly {asked.n} wanted" if count != asked.n else None


@checks("paragraphs")
def exact_paragraphs(asked: Asked) -> str | None:
    """Exactly n paragraphs, divided by blank lines."""
    count = len(paragraphs(asked.answer))
    return f"has {counted(count, 'paragraph', 'paragraphs')}, exactly {asked.n} wanted" if count != asked.n else None


@checks("one_paragraph")
def one_paragraph(asked: Asked) -> str | None:
    """One paragraph: no blank line, list or heading, and no line that ends with its sentence.

    A line break within a sentence is one that a program put there to keep lines short.
    """
    found = paragraphs(asked.answer)
    if len(found) != 1:
        return f"has {counted(len(found), 'paragraph', 'paragraphs')}, one wanted"
    other = [line.kind for line in lines(asked.answer) if line.kind not in ("text", "blank")]
    if other:
        return f"has a line that is a {other[0]}, one paragraph wanted"
    ended = [line for line in found[0].split("\n")[:-1] if line[-1] in _CLOSED]
    return "has a line break after a sentence, one paragraph wanted" if ended else None


@checks("divided")
def divided(asked: Asked) -> str | None:
    """Exactly n parts, none of them empty, with a line of three asterisks between them."""
    found = parts(asked.answer)
    if len(found) != asked.n:
        return f"has {counted(len(found), 'part', 'parts')} divided by ***, exactly {asked.n} wanted"
    return "has an empty part" if not all(word_list(part) for part in found) else None
