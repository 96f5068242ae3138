"""Invented names in every place where a name can stand, and the same shapes without a name."""

import polars as pl
import pytest

from persona_assets.personas.given_names import given_names, is_given, is_strong, key, names_digest
from persona_assets.personas.names import see_names

# Given names of many cultures; surnames that are occupations, and invented ones.
ENGLISH = [
    ("Jennifer", "Plumber"), ("Colin", "Thistlewood"), ("Oluwaseun", "Baker"), ("Priya", "Raghunathan"),
    ("Siobhan", "O'Driscoll"), ("Jean-Luc", "Moreau"), ("Zofia", "Ashwater"), ("Hiroshi", "Fletcher"),
    ("Marisol", "de la Vega"), ("Ahmed", "McAllister"), ("Łukasz", "Nieborak"), ("Austin", "Turner"),
]  # fmt: skip
ENGLISH_PLACES = [
    "{first} {last}, a retired teacher who paints birds",
    "{first} {last}, who coaches under-twelves at a rowing club",
    "{first} {last} is a nurse who runs marathons",
    "Meet {first} {last}, a barista with a notebook of overheard stories",
    "A nurse at a county hospital called {first} {last} who cares about staffing",
    "A retired teacher, {first} {last}, who feeds stray cats",
    "A 34-year-old man named {first} who fixes bikes",
    "{first} {last} (a marine biologist), tagging sharks off the cape",
    "Retired postman {first} {last}, who feeds stray cats",
    "Dr. {last}, a surgeon who hums",
]
RUSSIAN = [
    ("Сергей", "Кузнецов"), ("Людмила", "Ручьёва"), ("Рустам", "Гончаров"), ("Пётр", "Мельник"), ("Айгуль", "Пекарева"),
    ("Анна", "Столяр"), ("Казимир", "Плотников"), ("Тигран", "Саркисян"), ("Фёкла", "Ковальчук"), ("Джон", "Смит"),
]  # fmt: skip
RUSSIAN_PLACES = [
    "{first} {last}, инженер по холодильным установкам",
    "{first} {last} — водитель автобуса, увлекающийся астрономией",
    "{first} {last} (морской биолог), изучает тюленей",
    "Знакомьтесь: {first} {last}, пекарь из маленького города",
    "Человек по имени {first}, который чинит велосипеды",
    "Учитель на пенсии, {first} {last}, кормит бездомных кошек",
    "{first}, 34 года, бухгалтер",
    "{first}, пекарь из маленького города",
    "Слесарь {first} {last}, который по вечерам чинит часы",
    "{last} {first} Ильич, учитель физики",
]
CHINESE = ["王小明", "李静", "张金凤", "欧阳修远", "赵建国", "诸葛青", "陈思雨", "刘德海", "浦雪", "约翰·史密斯"]
CHINESE_PLACES = [
    "{name}，一名热爱机器人的中学生",
    "{name}是一位在杭州工作的产品经理",
    "{name}（生态学家），研究湿地",
    "一位名叫{name}的插画师，养了三只猫",
    "一位退休的外科医生，{name}，如今在乡下义诊",
    "认识一下{name}，一位喜欢钓鱼的程序员",
    "{name}，退休教师，喜欢在公园教人下棋",
    "我是{name}，一名导游",
]
# The same shapes without the name of the person described.
UNNAMED = [
    "Virginia Farmer, a father of two, switching to hemp",
    "Data Scientist, who hates spreadsheets",
    "African American nurse, who teaches swimming",
    "New Yorker, a lapsed monk",
    "Jane Austen Scholar, who reads maps",
    "Marie Curie biographer, a physicist herself",
    "Taylor Swift, Adele and Sting are the idols of this fan",
    "David Blum's proud son, a civil engineer",
    "Paris is a dream of this baker",
    "Sailor, a father of three",
    "Librarian, a lover of maps",
    "A nurse from Austin, Texas, who sings",
    "A widow with a dog named Max who barks",
    "A keeper of elephants named Jumbo and Kala",
    "A mother who named her daughter Ruby",
    "A fan of a singer called Joan Baez",
    "A student of her mentor, Anna Freud, who died",
    "A fan of 'Hamilton' (Lin-Manuel Miranda)",
    "Учительница физики, которую боится вся школа",
    "Поклонница Ахматовой, которая перепечатывает её стихи",
    "Внук Ивана Петрова, лётчика, боится высоты",
    "Любовь к паровозам привела его в депо",
    "Роза ветров висит над столом этого лоцмана",
    "Мать мальчика по имени Тимур, ищущая школу",
    "Пенсионер, 70 лет, разводит голубей",
    "Кроме Петрова, никто не чинит часы",
    "高级厨师，正在写一本书",
    "程序员，业余研究甲骨文",
    "金融分析师，迷恋打字机",
    "研究鲁迅的学者，核对手稿",
    "周杰伦的歌迷，攒了三个月工资",
    "一位儿子名叫小宝的单身父亲",
    "成长是一个漫长的过程，这位老师相信",
    "武术教练，晚上给人按摩",
]


def named(texts: list[str]) -> list[bool]:
    return see_names(pl.Series(texts, dtype=pl.String)).is_not_null().to_list()


@pytest.mark.parametrize("place", ENGLISH_PLACES)
def test_english_names_are_seen_in_every_place(place: str) -> None:
    texts = [place.format(first=first, last=last) for first, last in ENGLISH]
    assert [text for text, seen in zip(texts, named(texts), strict=True) if not seen] == []


@pytest.mark.parametrize("place", RUSSIAN_PLACES)
def test_russian_names_are_seen_in_every_place(place: str) -> None:
    texts = [place.format(first=first, last=last) for first, last in RUSSIAN]
    assert [text for text, seen in zip(texts, named(texts), strict=True) if not seen] == []


@pytest.mark.parametrize("place", CHINESE_PLACES)
def test_chinese_names_are_seen_in_every_place(place: str) -> None:
    texts = [place.format(name=name) for name in CHINESE]
    assert [text for text, seen in zip(texts, named(texts), strict=True) if not seen] == []


@pytest.mark.parametrize("text", UNNAMED)
def test_what_looks_like_a_name_is_none_of_the_person(text: str) -> None:
    assert named([text]) == [False]


@pytest.mark.parametrize(
    ("word", "listed"),
    [("Łukasz", "lukasz"), ("Пётр", "петр"), ("JENNIFER", "jennifer"), ("Zoë", "zoe"), ("Anna-Lotte", "anna")],
)
def test_a_key_is_the_word_as_the_lists_have_it(word: str, listed: str) -> None:
    assert key(word) == listed
    assert listed in given_names()


def test_a_given_name_that_is_a_word_too_is_not_strong() -> None:
    assert [(is_given(word), is_strong(word)) for word in ("Jennifer", "Virginia", "Teacher")] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_the_digest_of_the_lists_changes_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = names_digest()
    fewer = frozenset(given_names() - {"jennifer"})
    monkeypatch.setattr("persona_assets.personas.given_names.given_names", lambda: fewer)
    assert names_digest() != before
