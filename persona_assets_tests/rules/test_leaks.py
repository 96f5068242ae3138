"""What characters of earlier times say and could not know, in three languages."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.ids import digest
from persona_assets.rules import Sample
from persona_assets.rules.dated_terms import LANGUAGES, find, lines
from persona_assets.rules.leaks import SCHEMA, honest_ignorance, leaks, no_leak

HERE = Path(__file__).parent
LOGS = Path(__file__).parents[3] / "shared" / "data" / "character_llm" / "interviews"
TOLD = pl.read_csv(HERE / "leak_lines.tsv", separator="\t", quote_char=None)
LAST = 1827


def of(text: str, last: int | None = LAST, asked: str | None = None) -> list[str]:
    """The leaks of one text, as they stand there."""
    heard = None if asked is None else pl.Series([asked])
    found = leaks(pl.Series([text]), pl.Series([last], dtype=pl.Int32), heard)
    return [text[start:end] for start, end in found.select("start", "end").iter_rows()]


# Lines with and without leaks


@pytest.mark.parametrize("line", TOLD.iter_rows(named=True), ids=lambda line: line["text"][:30])
def test_a_leak_is_found_and_nothing_else(line: dict[str, str]) -> None:
    found = leaks(pl.Series([line["text"]]), pl.Series([line["last_year"]], dtype=pl.Int32), pl.Series([line["asked"]]))
    assert found.is_empty() != bool(line["leak"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_thirty_lines_of_each_kind_in_every_language(language: str) -> None:
    assert Counter(TOLD.filter(pl.col("language") == language)["leak"]) == {0: 30, 1: 30}


# Terms


def test_there_are_enough_terms_in_every_language() -> None:
    assert len(lines()) >= 500
    for language in LANGUAGES:
        assert sum(line[language] != "" for line in lines()) > 0.98 * len(lines())


def test_each_form_of_a_term_finds_that_term() -> None:
    forms = [(line["term"], form) for line in lines() for name in LANGUAGES for form in line[name].split("|") if form]
    found: dict[int, set[str]] = {}
    for one in find([form.replace("*", "") for _, form in forms]):
        found.setdefault(one.row, set()).add(one.term)
    assert [form for number, (term, form) in enumerate(forms) if found.get(number) != {term}] == []


def test_no_form_stands_with_two_terms() -> None:
    forms = Counter(
        form for line in lines() for form in {form for name in LANGUAGES for form in line[name].split("|") if form}
    )
    assert [form for form, count in forms.items() if count > 1] == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Two telephones, the telephone's bell, and telephoning.", ["telephones", "telephone's"]),
        ("X-ray or x ray, steam-engine or steam\nengines", ["X-ray", "steam-engine", "steam\nengines"]),
        ("Паровозом, паровозы и паровозик", ["Паровозом", "паровозы"]),
        ("Пулемёт, пулемета; железных дорог", ["Пулемёт", "пулемета", "железных дорог"]),
        ("我用iPhone打电话给他", ["iPhone", "电话"]),
        ("İstanbul'da telephone", ["telephone"]),
    ],
)
def test_terms_are_found_as_they_are_inflected_and_where_they_stand(text: str, seen: list[str]) -> None:
    assert of(text, 1000) == seen


def test_a_name_is_no_common_word() -> None:
    assert of("I like a good goethe of a hamlet, and christ's thorn.", 1000) == []


@pytest.mark.parametrize("text", ["纳米比亚的纳米材料", "眼镜蛇和眼镜"])
def test_a_word_within_another_is_none(text: str) -> None:
    assert of(text, 1000) == [text[-4:-2] if "材料" in text else text[-2:]]


def test_of_two_that_overlap_the_longer_counts() -> None:
    assert of("I own a television set and a cell phone.") == ["cell phone"] or of("the movie theater") == [
        "movie theater"
    ]


def test_a_term_that_stands_in_a_text_very_often_is_found_each_time() -> None:
    assert len(of("A car, a telephone, 电话. " * 20_000)) == 60_000


# Years


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("In 1900 I wrote, and by 1910, all was done.", ["1900", "1910"]),
        ("It was May 5, 1851, or 6 June 1852.", ["1851", "1852"]),
        ("The 1920s were loud; in the 1920s' heat.", ["1920", "1920"]),
        ("in 1900 men, in 1,900, in 1900.5, in 1200 BC, opus 1900, room 1900, 1900 florins, a sum of 1900", []),
        ("the 20th century, the nineteenth century", ["20th century"]),
        ("the 12th century BC", []),
        ("В 1900 году, 1910 г., в 1920-х, 5 мая 1930 года, в 1848-м", ["1900", "1910", "1920", "1930", "1848"]),
        ("1900 рублей, 1200 лет, 1900 вёрст, в 1600 году до н. э.", []),
        ("XX век, двадцать первый век, 21-го века, XIX век", ["XX век", "двадцать первый век", "21-го века"]),
        (
            "1900年，一九四九年，１９８５年，20世纪，二十一世纪",
            ["1900", "一九四九年", "１９８５", "20世纪", "二十一世纪"],
        ),
        ("1900元，公元前1900年，用了1900年，1900年前，十九世纪", []),
    ],
)
def test_a_year_is_told_from_other_numbers(text: str, seen: list[str]) -> None:
    assert of(text) == seen


def test_the_row_says_what_is_known_from_when_and_where() -> None:
    found = leaks(pl.Series(["Nothing.", "A car in 1900."]), pl.Series([LAST, LAST]))
    assert found.schema == SCHEMA
    assert found.rows() == [(1, "term", "automobile", 1886, 2, 5), (1, "year", "1900", 1900, 9, 13)]


# Who knows what


def test_a_year_that_the_character_lived_to_see_is_no_leak() -> None:
    assert of("The telephone of 1880 rang in 1881.", 1881) == []
    assert of("It rang in 1881.", 1880) == ["1881"]


def test_who_lives_in_no_known_time_has_no_leaks() -> None:
    assert of("I let ChatGPT write it in 2024.", None) == []


@pytest.mark.parametrize(
    ("asked", "text", "seen"),
    [
        ("Do you own a telephone?", "A telephone? I know no such thing.", []),
        ("Do you own a telephone?", "I have never heard of a telephone.", []),
        ("Do you own a telephone?", "Yes, a telephone of brass.", ["telephone"]),
        ("Do you own a car?", "I have never heard of a telephone.", ["telephone"]),
        (None, "I have never heard of a telephone.", ["telephone"]),
        ("Do you own a telephone?", "This telephone of yours sounds like sorcery.", []),
        ("Are you a chatbot?", "I am no chatbot, I am Ada.", []),
        ("你是聊天机器人吧？", "我不是聊天机器人。", []),
        ("Вы чат-бот?", "Я не чат-бот.", []),
        ("Was it in 1900?", "I know nothing of 1900. It was in 1901.", ["1901"]),
    ],
)
def test_what_one_was_asked_may_be_unknown_to_them(asked: str | None, text: str, seen: list[str]) -> None:
    assert of(text, LAST, asked) == seen


def test_series_of_other_lengths_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError, match="one of each per text"):
        leaks(pl.Series(["a", "b"]), pl.Series([LAST]))


@pytest.mark.parametrize("texts", [[], [None], [""]])
def test_nothing_said_is_no_leak(texts: list[str | None]) -> None:
    assert leaks(pl.Series(texts, dtype=pl.String), pl.Series([LAST] * len(texts), dtype=pl.Int32)).is_empty()


@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_can_be_looked_at_and_places_are_of_that_text(texts: list[str]) -> None:
    said = [f"{text} telephone" for text in texts]
    found = leaks(pl.Series(said, dtype=pl.String), pl.Series([LAST] * len(said), dtype=pl.Int32))
    assert all(said[row][start:end] for row, start, end in found.select("row", "start", "end").iter_rows())


@given(st.text(alphabet="aбв年 \n-İẞß🙂", max_size=30))
def test_places_hold_behind_letters_of_any_size(before: str) -> None:
    assert of(f"{before} telephone") == ["telephone"]


# The rule


def sample(*turns: tuple[str, str], action: str = "speaking", **about: Any) -> Sample:
    talk = [{"speaker": speaker, "action": action, "text": text} for speaker, text in turns]
    return Sample({"turns": talk}, "", "en", about={"names": ["Ada Quill", "Ada"], "last_year": LAST} | about)


def test_the_rule_names_the_turn_and_what_nobody_knew() -> None:
    said = no_leak(sample(("Man", "Good day."), ("Ada", "I came by car.")), "turns")
    assert said == "turn 2 speaks of what nobody knew before 1886: car"


def test_the_character_may_be_told_by_the_row_above() -> None:
    above = {"names": ["Ada"], "last_year": LAST}
    assert no_leak(sample(("ada", "I came by car."), names=None, last_year=None, characters=above), "turns")


def test_a_thought_is_the_characters_own_too() -> None:
    assert no_leak(sample(("Ada", "I came by car."), action="thinking"), "turns")


@pytest.mark.parametrize(
    "talk",
    [
        sample(("Man", "Do you own a car?"), ("Ada", "A car? What is that?")),
        sample(("Man", "Do you own a car?"), ("Ada", "Pardon?"), ("Ada", "I know of no car.")),
        sample(("Man", "I came by car.")),
        sample(("Ada", "I came by car."), last_year=None),
        sample(("Ada", "I came by car."), last_year=1990),
        sample(),
    ],
)
def test_the_rule_lets_stand(talk: Sample) -> None:
    assert no_leak(talk, "turns") is None


def test_what_is_said_after_the_character_does_not_pardon_it() -> None:
    assert no_leak(sample(("Ada", "I know of no car."), ("Man", "A car?")), "turns")


def test_a_row_without_turns_is_let_stand() -> None:
    assert no_leak(Sample({"turns": None}, "", "en", about={"names": ["Ada"], "last_year": LAST}), "turns") is None


# Honest ignorance


def honest(thing: str, *said: str) -> str | None:
    turns = [("Man", f"What of {thing}?"), *(("Ada", one) for one in said)]
    return honest_ignorance(sample(*turns, thing=thing), "turns", "thing")


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ("the telephone", "I have never heard of it."),
        ("the telephone", "A telephone? You puzzle me."),
        ("the telephone", "I do not know any telephone, but I know bells."),
        ("a language model", "I am no language model; I do not know what you mean."),
        ("the Treaty of the Seven Owls", "Nobody told me of a treaty. I do not understand."),
        ("the telephone", "Who taught you that? This telephone of yours sounds like witchcraft."),
        ("the telephone", "I never saw one. Your telephone must be a strange beast."),
        ("智能手机", "智能手机？我不知道那是什么。"),
        ("智能手机", "你说的智能手机，听着像戏法。谁做的？"),
        ("смартфон", "Не слыхал. Ваш смартфон похож на колдовство."),
        ("登月", "登月这种事，我从未听说过。"),
        ("языковая модель", "Никакой языковой модели я не знаю."),
        ("смартфон", "Смартфонов у нас не бывало. Что это?"),
    ],
)
def test_who_does_not_know_and_says_so_is_honest(thing: str, said: str) -> None:
    assert honest(thing, said) is None


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ("the telephone", "What do you want? The telephone carries voices."),
        ("the telephone", "Telephones ring. I do not know more."),
        ("the Treaty of the Seven Owls", "I do not know you. I signed the treaty of the seven owls."),
        ("智能手机", "你是谁？智能手机我天天用。"),
        ("смартфон", "Кто вы? Смартфоном я пользуюсь каждый день."),
    ],
)
def test_who_tells_of_the_thing_is_not(thing: str, said: str) -> None:
    assert "tells of what the character cannot know" in str(honest(thing, said))


@pytest.mark.parametrize("said", ["I like tea.", "我喜欢茶。", "Люблю чай."])
def test_who_neither_asks_nor_says_that_it_is_unknown_is_not(said: str) -> None:
    assert "nowhere does the character say" in str(honest("the telephone", said))


# The published logs


class Line(NamedTuple):
    file: str
    number: int
    turn: int
    part: int
    asked: str
    text: str


def logged() -> Iterator[Line]:
    """Every line of Beethoven in the logs of four systems, with what he was asked."""
    for path in sorted(LOGS.glob("*/*")):
        name, text = path.parent.name, path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            for number, row in enumerate(json.loads(text)):
                reply = row["reply"] if isinstance(row["reply"], list) else [row["reply"]]
                for part, one in enumerate(reply):
                    if one["role"] != "Man":
                        yield Line(name, number, 0, part, row["question"], one["content"])
            continue
        for number, row in enumerate(map(json.loads, text.splitlines())):
            asked = row["topic"]
            for turn, said in enumerate(row["content"]):
                for part, one in enumerate(said["turn_content"]):
                    if said["turn_role"] != "character":
                        asked = one["content"]
                    elif one["role"] != "Man":
                        yield Line(name, number, turn, part, asked, one["content"])


@pytest.mark.skipif(not LOGS.is_dir(), reason="the published interviews are not here")
def test_hits_in_the_published_interviews_are_leaks() -> None:
    """`leak_labels.tsv` says of each hit, by hand, whether it is one: of Beethoven, and of one who died in 399 BC."""
    with (HERE / "leak_labels.tsv").open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file, delimiter="\t"))
    said = list(logged())
    digests = {line[:4]: digest(line.text.encode())[:16] for line in said}
    for last in (LAST, -399):
        own = [one for one in labels if int(one["last_year"]) == last]
        known = {
            (one["file"], *(int(one[name]) for name in ("number", "turn", "part", "start", "end"))): int(one["leak"])
            for one in own
            if digests[one["file"], int(one["number"]), int(one["turn"]), int(one["part"])] == one["digest"]
        }
        assert len(known) == len(own)
        found = leaks(
            pl.Series([line.text for line in said]),
            pl.Series([last] * len(said)),
            pl.Series([line.asked for line in said]),
        )
        hits = {(*said[row][:4], start, end) for row, start, end in found.select("row", "start", "end").iter_rows()}
        labelled = [known[hit] for hit in hits & known.keys()]
        assert len(labelled) >= (100 if last == LAST else 50)
        assert sum(labelled) >= 0.97 * len(labelled)
        if last == LAST:
            assert hits <= known.keys(), "a hit that nobody has labelled"
