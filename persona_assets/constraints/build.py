"""A plain answer that keeps to constraints: what an offline engine says in place of a model."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from persona_assets.constraints.checkers import failed
from persona_assets.constraints.constraint import Args, Constraint
from persona_assets.constraints.sentences_of import Prose, general_topic, material, prose, told_topic

_WORDS_OF_A_FILLER = {"en": 12, "zh": 18, "ru": 8}  # at most, so that an answer is not begun too long
_PARAGRAPH = 5  # sentences of a paragraph, where nothing is said about them
_TABLE_ROWS = 2
_LONG = {"en": 250, "zh": 370, "ru": 230}  # words, or Chinese characters: more than any constraint allows
_QUOTES = {"en": "“”", "zh": "“”", "ru": "«»"}
_WORD = re.compile(r"(?<!\[)\b[^\W\d_]{2,}\b(?!\])")


def answer(constraints: Sequence[Constraint], language: str, topic: str, request: str = "") -> str:
    """A grammatical answer about a topic that keeps to all of the constraints; it follows from the arguments alone.

    `language` is that of the request. The topic loses marks and digits, and gives way to a general one where it
    breaks a constraint by itself. Where nothing keeps to all, which drawn constraints do not bring about, it is the
    answer that breaks fewest.

    Raises:
        UsageError: as of `checkers.seen`.
    """
    wants = {one.kind: one.args for one in constraints}
    told = str(wants["other_language"]["to"]) if "other_language" in wants else language
    general, avoided = general_topic(told), str(wants.get("avoids_word", {}).get("word", ""))
    best, fewest = "", len(constraints) + 1
    for subject in dict.fromkeys((general if told != language else told_topic(topic, told, avoided), general)):
        for text in _answers(wants, told, subject, request):
            broken = len(failed(constraints, text, language, request))
            if not broken:
                return text
            if broken < fewest:
                best, fewest = text, broken
    return best


def broken_answer(
    constraints: Sequence[Constraint], language: str, topic: str, request: str = "", first: int = 0
) -> str:
    """An answer that keeps to all but one of the constraints: the first, from number `first` on, that can be left out.

    Where each is kept by chance, it goes on in a way that breaks those of length, words, marks or form.

    Raises:
        UsageError: as of `checkers.seen`.
    """
    for at in range(len(constraints)):
        left_out = constraints[(first + at) % len(constraints)]
        text = answer([one for one in constraints if one is not left_out], language, topic, request)
        if failed(constraints, text, language, request):
            return text
    avoided = [str(one.args["word"]) for one in constraints if one.kind == "avoids_word"]
    lively = f"\n\n- **{' '.join([*avoided, material(language)['lively']])}**"
    short = answer((), language, topic) + lively
    if failed(constraints, short, language, request):
        return short
    return answer([Constraint("words_at_least", {"n": _LONG[language]}, "")], language, topic) + lively


def _answers(wants: Mapping[str, Args], language: str, topic: str, request: str) -> Iterator[str]:
    """Answers of different lengths, the likeliest first."""
    if "one_of" in wants:
        options = wants["one_of"]["options"]
        yield options[0] if isinstance(options, list) else ""
        return
    found = prose(wants, language, topic)
    low = max(
        (_number(wants, kind, name) for kind, name in (("words_at_least", "n"), ("words_between", "low"))), default=0
    )
    start = max(3, low // _WORDS_OF_A_FILLER[language])
    brief = replace(found, fillers=sorted(found.fillers, key=len))
    tries = [(found, count) for count in (*range(start, -1, -1), *range(start + 1, len(found.fillers) + 1))]
    for sentences, count in [*tries, *((brief, count) for count in range(start + 1))]:
        text = _Answer(wants, language, topic, sentences, count).text()
        if text:
            yield _wrapped(wants, language, text, request)


def _number(wants: Mapping[str, Args], kind: str, name: str = "n") -> int:
    value = wants.get(kind, {}).get(name, 0)
    return value if isinstance(value, int) else 0


def _wrapped(wants: Mapping[str, Args], language: str, text: str, request: str) -> str:
    """A text in the case, after the request, and in the quotation marks that are wanted."""
    text = text.lower() if "lower_case" in wants else text.upper() if "capitals" in wants else text
    text = f"{request.strip()}\n\n{text}" if "repeats_request" in wants else text
    return f"{_QUOTES[language][0]}{text}{_QUOTES[language][1]}" if "quoted" in wants else text


class _Answer:
    """An answer of one length: sentences, and the form that holds them."""

    def __init__(self, wants: Mapping[str, Args], language: str, topic: str, found: Prose, count: int) -> None:
        """`count` sentences stand in it beside those that must. One is the opening, unless its first word is given."""
        self.wants, self.topic, self.found = wants, topic, found
        self.space = "" if language == "zh" else " "
        opening = found.first if count or "first_word" in wants else []
        used = count if "first_word" in wants else max(0, count - len(opening))
        self.sentences = self._marked([*opening, *found.body, *found.fillers[:used], *found.last])
        self.opening = len(opening)
        self.items = found.fillers[used:]  # of a list; none stands in the text too

    def _marked(self, sentences: list[str]) -> list[str]:
        """The sentences with words in capitals and phrases in bold, as many as are wanted."""
        left = _number(self.wants, "capital_words")
        for place, sentence in enumerate(sentences):
            sentences[place], made = (
                _WORD.subn(lambda word: word[0].upper(), sentence, count=left) if left else (sentence, 0)
            )
            left -= made
        bold = _number(self.wants, "highlights")
        start = 1 if len(sentences) > bold else 0
        for place in range(start, min(start + bold, len(sentences))):
            sentences[place] = f"**{sentences[place][:-1]}**{sentences[place][-1]}"
        return sentences

    def text(self) -> str:
        """The answer; empty where it has too few sentences for its form."""
        form = next((form for kind, form in _FORMS.items() if kind in self.wants), _Answer._plain)
        text = form(self)
        if text and "title" in self.wants:
            text = f"<<{self.topic[:1].upper()}{self.topic[1:]}>>\n\n{text}"
        if text and "postscript" in self.wants:
            marker = str(self.wants["postscript"]["marker"])
            text += f"\n\n{marker}{'' if marker.endswith('：') else ' '}{self.found.postscript}"
        return text

    def _joined(self, sentences: Sequence[str]) -> str:
        return self.space.join(sentences)

    def _chunks(self, number: int) -> list[str]:
        """The sentences in so many texts of about the same length; none where there are too few."""
        total = len(self.sentences)
        if total < number:
            return []
        cuts = [total * place // number for place in range(number + 1)]
        return [self._joined(self.sentences[one:other]) for one, other in pairwise(cuts)]

    def _plain(self) -> str:
        return "\n\n".join(self._chunks(max(1, len(self.sentences) // _PARAGRAPH))) if self.sentences else ""

    def _one_paragraph(self) -> str:
        return self._joined(self.sentences)

    def _paragraphs(self) -> str:
        return "\n\n".join(self._chunks(_number(self.wants, "paragraphs")))

    def _divided(self) -> str:
        return "\n\n***\n\n".join(self._chunks(_number(self.wants, "divided")))

    def _sections(self) -> str:
        number = _number(self.wants, "sections")
        names = (self.found.headings * number)[:number]
        parts = zip(names, self._chunks(number), strict=False)
        return "\n\n".join(f"## {name}\n\n{part}" for name, part in parts)

    def _around(self, block: str) -> str:
        """A list or table behind the opening and before all else."""
        before, after = self.sentences[: self.opening], self.sentences[self.opening :]
        return "\n\n".join(part for part in (self._joined(before), block, self._joined(after)) if part)

    def _bullets(self) -> str:
        return self._around("\n".join(f"- {one}" for one in self.items[: _number(self.wants, "bullets")]))

    def _numbered(self) -> str:
        items = self.items[: _number(self.wants, "numbered")]
        return self._around("\n".join(f"{number}. {one}" for number, one in enumerate(items, 1)))

    def _table(self) -> str:
        number = _number(self.wants, "table")
        cells = (self.found.columns * number)[:number] + ["---"] * number
        cells += (self.found.cells * number)[: _TABLE_ROWS * number]
        rows = [cells[start : start + number] for start in range(0, len(cells), number)]
        return self._around("\n".join(f"| {' | '.join(row)} |" for row in rows))

    def _json_object(self) -> str:
        keys = self.wants["json_object"]["keys"]
        assert isinstance(keys, list)
        chunks = self._chunks(len(keys))
        return json.dumps(dict(zip(keys, chunks, strict=True)), ensure_ascii=False, indent=2) if chunks else ""


_FORMS = {
    "one_paragraph": _Answer._one_paragraph,
    "paragraphs": _Answer._paragraphs,
    "divided": _Answer._divided,
    "sections": _Answer._sections,
    "bullets": _Answer._bullets,
    "numbered": _Answer._numbered,
    "table": _Answer._table,
    "json_object": _Answer._json_object,
}
