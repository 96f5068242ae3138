import pytest

from persona_assets.text.language import identify
from persona_assets.text.short import identify_short


def _code(text: str) -> str:
    return identify_short([text])[0][0]


@pytest.mark.parametrize(
    "text",
    [
        "A big fan of Frank Sinatra",
        "an anxious tenant in Ontario",
        "a casual hitchhiker",
        "an internet-savvy Gen Z collector of memes",
        "PHP programmer",
        "A night nurse who keeps bees on a small island.",
        "I am a die-hard supporter of the club who attends every match.",
        "A French veterinarian who is an alumnus of the École nationale vétérinaire de Lyon.",
    ],
)
def test_short_english_stays_english(text: str) -> None:
    assert _code(text) == "en"


@pytest.mark.parametrize("text", ["退休書店老闆", "一位经济学者", "《ONE PIECE》的铁粉", "K-Pop 爱好者，喜欢收集唱片"])
def test_chinese_of_a_few_characters_is_not_japanese(text: str) -> None:
    assert _code(text) == "zh"


@pytest.mark.parametrize("text", ["Программист Python", "Специалист по Microsoft SQL Server", "Пчеловод с острова"])
def test_russian_with_names_in_latin_letters_is_russian(text: str) -> None:
    assert _code(text) == "ru"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Un enfermero de noche que cría abejas en una isla pequeña", "es"),
        ("Eine Nachtschwester, die auf einer Insel Bienen hält", "de"),
        ("Une infirmière de nuit qui élève des abeilles", "fr"),
        ("Um escritor de ficção científica que vive na ilha", "pt"),
        ("Бджоляр з маленького острова, який пише листи", "uk"),
        ("夜勤の看護師で、島で蜂を飼っている人", "ja"),
        ("섬에서 벌을 치는 야간 간호사", "ko"),
    ],
)
def test_other_languages_are_told_by_name(text: str, code: str) -> None:
    assert _code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "Ngokunjalo kudingekile ukuba kwenyuswe ukuthuthukiswa kobungane nobudlelwane phakathi kwezizwe",
        "Panicha aramujun kiniana kupanicha majicha ikicha nuka ikicha utatinuka",
        "Llapan runakuna munanchis chay derechonchiskunata, ima yuyayninchistapas piensasqanchistapas",
        "Мня явна ядерта сямян ненэцяи тэнзаӈэ ӈыхи сомарина поёна",
    ],
)
def test_a_language_that_the_model_does_not_know_is_none_of_ours(text: str) -> None:
    assert _code(text) not in ("en", "zh", "ru")


@pytest.mark.parametrize("text", ["", "123 -- 456", "😀 😀"])
def test_text_without_letters_is_undetermined(text: str) -> None:
    assert identify_short([text]) == [("und", 0.0)]


def test_the_confidence_is_the_models_where_both_agree_and_else_none() -> None:
    sure, doubted = "Une infirmière de nuit qui élève des abeilles", "A big fan of Frank Sinatra"
    assert identify_short([sure]) == identify([sure])
    assert identify([doubted])[0][0] != "en"
    assert identify_short([doubted]) == [("en", 0.0)]


def test_answers_come_in_order_whatever_the_neighbours() -> None:
    texts = ["A night nurse", "退休書店老闆", "", "Пчеловод с острова"]
    assert [code for code, _ in identify_short(texts)] == ["en", "zh", "und", "ru"]
