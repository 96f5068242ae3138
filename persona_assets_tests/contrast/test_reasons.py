import polars as pl
import pytest

from persona_assets.contrast import alike_reasons, pair_reasons


def pairs(*answers: tuple[str | None, str | None], language: str = "en") -> pl.DataFrame:
    return pl.DataFrame(
        [(language, f"task {place}", one, other) for place, (one, other) in enumerate(answers)],
        schema=dict.fromkeys(("language", "instruction", "one", "other"), pl.String),
        orient="row",
    )


def reason(one: str | None, other: str | None, language: str = "en") -> tuple[str | None, str | None]:
    found = pair_reasons(pairs((one, other), language=language))
    return found.row(0)  # type: ignore[return-value]


def test_each_pair_has_its_reason_in_its_row() -> None:
    found = pair_reasons(
        pairs(
            ("Let's ask everyone at the party!", "I'd think it over on a quiet walk."),
            ("Same words.", "same  words."),
            ("It takes 3 hours.", "It takes 4 hours."),
            (None, "An answer."),
            ("Ask people.", "As an introvert, I would rather read."),
        )
    )
    assert found["reason"].to_list() == [None, "identical", "numbers_differ", "empty", "names_type"]
    assert found["detail"].is_null().to_list() == found["reason"].is_null().to_list()


def test_no_pairs_give_no_reasons() -> None:
    found = pair_reasons(pairs())
    assert found.is_empty()
    assert dict(found.schema) == {"reason": pl.String, "detail": pl.String}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Extraverts like us celebrate.", "Extravert"),
        ("你是INTJ，所以要计划。", "INTJ"),
        ("This suits an ENFP-T well.", "ENFP-T"),
        ("他性格内向。", "内向"),
        ("Интроверту лучше дома.", "Интроверт"),
        ("Об этом писал Карл Юнг.", "Карл Юнг"),
        ("As Carl Jung wrote, rest.", "Carl Jung"),
        ("Jung’s theory says so.", "Jung’s theor"),
        ("The Myers–Briggs test", "Myers–Briggs"),
    ],
)
def test_a_word_of_the_theory_is_told(text: str, word: str) -> None:
    assert reason("Something else.", text) == ("names_type", f"other: {word}")


@pytest.mark.parametrize(
    "text",
    [
        "An extravagant jungle fest.",
        "Trust your feelings and thinking.",
        "POINTS and the SINTJE",
        "Юнга поёт.",
        "外面",
        "Sleep helps cognitive function.",
        "We ate at Jung's place.",
    ],
)
def test_ordinary_words_name_no_type(text: str) -> None:
    assert reason("Something else.", text) == (None, None)


def test_numbers_that_differ_are_told() -> None:
    assert reason("Sleep 6 hours, by 22:30.", "Sleep 8 hours, by 22:30.")[1] == "only one: 6; only other: 8"


def test_code_that_differs_is_a_reason_and_its_numbers_are_none() -> None:
    code = "Here:\n```python\nx = {}\n```\nTry it with 5."
    assert reason(code.format(1), code.format(2))[0] == "code_differs"
    assert reason(code.format(1), code.format(1).replace("Here", "Look")) == (None, None)


def test_answers_above_the_ceiling_are_too_alike() -> None:
    found = alike_reasons(pl.Series([0.96, 0.95, None, 0.2]))
    assert found["reason"].to_list() == ["too_alike", None, None, None]
    assert found["detail"][0] == "cosine 0.96 is above 0.95"
    assert alike_reasons(pl.Series([0.96, 0.2]), ceiling=0.1)["reason"].to_list() == ["too_alike"] * 2
