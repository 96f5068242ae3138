"""What a questionnaire's file declares, in either form, and what is wrong with one."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.errors import UsageError
from persona_assets.questionnaires.answers import scored_items
from persona_assets.questionnaires.questionnaire import questionnaire_of, read
from persona_assets.questionnaires.scores import agreement
from persona_assets_tests.questionnaires.files import BUNDLED, LAYOUT, OWN, bundled, changed, items, told_in

REAL = Path(__file__).parents[3] / "shared/data/incharacter/data/questionnaires"
LANGUAGES = ("en", "zh")


def told_wrong(told: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        read("some.yaml", told)
    said = str(caught.value)
    assert said.startswith("some.yaml: ")
    return said


@pytest.mark.parametrize(
    ("place", "to", "said"),
    [
        (("items", 1, "dimension"), "", "item b names no dimension"),
        (("items", 1, "dimension"), "drinks", "item b: there is no dimension drinks; did you mean drink"),
        (("items", 1, "pole"), "X", "item b: X is no pole of drink"),
        (("items", 1, "pole"), "", "item b: it names no pole"),
        (("items", 1, "id"), "a", "item a stands there twice"),
        (("items", 0, "text"), {"zh": "茶"}, "item a has no text in en"),
        (("items", 0, "filler"), True, "item a is a filler and has a dimension"),
        (("items", 0, "weight"), 2, "item a.weight: Extra inputs"),
        (("scale", "labels", "en"), ["no", "yes"], "2 labels in en for the 3 numbers from 1 to 3"),
        (("scale", "max"), 1, "it goes from 1 to 1"),
        (("dimensions", 0, "poles"), ["T", "T"], "both poles of drink are T"),
    ],
)
def test_a_fault_is_told_with_file_and_item(place: tuple[str | int, ...], to: Any, said: str) -> None:
    assert said in told_wrong(changed(OWN, *place, to=to))


def test_a_missing_scale_is_told() -> None:
    assert "scale: Field required" in told_wrong(changed(OWN, "scale", gone=True))


def test_a_dimension_without_poles_runs_from_low_to_high() -> None:
    told = changed(changed(OWN, "dimensions", 0, "poles", gone=True), "items", 0, "pole", to="low")
    [first, second] = items(changed(told, "items", 1, "pole", to="high")).to_dicts()
    assert (first["first_pole"], first["second_pole"], first["toward"], second["toward"]) == ("low", "high", -1, 1)


@pytest.mark.parametrize(
    ("place", "to", "said"),
    [
        (("range",), None, "range: the scale is missing"),
        (("range",), [5], "range: [5] is no scale"),
        (("scale",), 5, "scale: it is 5, and the numbers of range add up to 6"),
        (("questions", "3", "dimension"), "E/I", "item 3: its dimension is E/I, and S/N lists it"),
        (("questions", "9", "dimension"), "S/N", "item 9: its dimension is S/N, and none of categories lists it"),
        (("questions", "3", "category"), "X", "item 3: category: X is no pole of S/N"),
        (("questions", "3", "category"), None, "item 3: category: names no pole"),
        (("questions", "3", "origin_zh"), " ", "item 3 has no text in zh"),
        (("categories", 1, "cat_questions"), [3, 4, 1], "item 1: categories lists it twice"),
        (("categories", 1, "cat_questions"), [3, 4, 44], "item 44: S/N lists it, and questions has none"),
        (("prompts", "llm_choice_instruction", "zh"), "1代表“是”", "llm_choice_instruction.zh: it has labels for [1]"),
        (("categories",), [], "item 1: its dimension is E/I, and none of categories lists it"),
    ],
)
def test_a_fault_in_the_json_layout_is_told_with_file_and_item(place: tuple[str, ...], to: Any, said: str) -> None:
    assert said in told_wrong(changed(LAYOUT, *place, to=to))


def test_an_item_of_the_json_layout_without_the_key_dimension_is_told() -> None:
    assert "item 3 names no dimension" in told_wrong(changed(LAYOUT, "questions", "3", "dimension", gone=True))


def test_a_sign_that_reverse_contradicts_is_told() -> None:
    told = changed(LAYOUT, "categories", 0, "cat_name", to="warmth")
    for number, sign in (("1", "positive"), ("2", "positive")):
        told["questions"][number] |= {"dimension": "warmth", "category": sign}
    assert "item 2: it is positive, and reverse has it" in told_wrong(told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_json_layout_is_read_with_its_traps(language: str) -> None:
    found = items(LAYOUT, language)
    poles = {
        row["item"]: row["second_pole"] if row["toward"] == 1 else row["first_pole"]
        for row in found.drop_nulls("dimension").to_dicts()
    }
    assert poles == dict(zip(("1", "2", "3", "4", "5", "6", "7", "8", "10"), "EISNTFPJT", strict=True))
    assert found.filter(item="9")["dimension"].to_list() == [None]
    assert (found["least"][0], found["most"][0], len(found["labels"][0])) == (1, 5, 5)
    assert found["labels"][0][0] == {"en": "strongly disagree", "zh": "非常不同意"}[language]
    assert read("small.json", LAYOUT).falls


def test_fillers_are_items_and_are_not_scored() -> None:
    found = items(LAYOUT)
    assert scored_items(found).height == found.height - 1


def test_a_dimension_may_have_a_stroke_in_its_name_and_no_poles() -> None:
    told = changed(LAYOUT, "categories", 0, "cat_name", to="Wood/Metal")
    for number, sign in (("1", "positive"), ("2", "negative")):
        told["questions"][number] |= {"dimension": "Wood/Metal", "category": sign}
    assert items(told)["first_pole"].to_list()[:2] == ["low", "low"]


def test_labels_that_fall_are_turned_round() -> None:
    falling = "1 denotes 'agree', 2 denotes 'neither', 3 denotes 'disagree'"
    told = changed(
        LAYOUT,
        "prompts",
        "llm_choice_instruction",
        to={"en": falling, "zh": "1代表“同意”，2代表“都不是”，3代表“不同意”"},
    )
    assert items(changed(changed(told, "range", to=[1, 3]), "scale", to=4))["labels"][0].to_list() == [
        *("disagree", "neither", "agree")
    ]


def test_a_file_of_two_questionnaires_is_told() -> None:
    with pytest.raises(UsageError, match=r"two\.yaml: it holds a list of 2"):
        questionnaire_of(pl.DataFrame({"file": ["two.yaml"] * 2, "title": ["a", "b"]}))


def test_a_table_of_files_keeps_a_questionnaire_whole() -> None:
    row = {name: value if isinstance(value, str) else json.dumps(value) for name, value in LAYOUT.items()}
    assert questionnaire_of(pl.DataFrame([{"file": "a.json", "row_id": "r", **row}])) == (
        "a.json",
        read("a.json", LAYOUT),
    )


@pytest.mark.parametrize("language", [*LANGUAGES, "ru"])
def test_the_bundled_questionnaire_has_15_items_a_dimension_about_half_for_each_pole(language: str) -> None:
    found = bundled(language)
    assert found.height == found["text"].n_unique() == 60
    counts = found.group_by("dimension", "toward").len()
    assert sorted(counts["len"]) == [7] * 4 + [8] * 4
    assert {len(labels) for labels in found["labels"]} == {7}


def test_no_bundled_item_stands_in_a_real_questionnaire() -> None:
    if not REAL.is_dir():
        pytest.skip("the real questionnaires are not here")
    ours = {" ".join(item["text"]["en"].lower().rstrip(".").split()) for item in told_in(BUNDLED)["items"]}
    theirs = {
        one["origin_en"].lower().rstrip(".")
        for path in REAL.glob("*.json")
        for one in json.loads(path.read_text(encoding="utf-8"))["questions"].values()
    }
    assert not ours & theirs


SIZES = {  # items, fillers, dimensions, lowest, highest
    "16Personalities": (60, 0, 4, 1, 7), "BFI": (44, 0, 5, 1, 5), "BSRI": (60, 20, 2, 1, 7),
    "CABIN": (164, 0, 41, 1, 5), "DTDD": (12, 0, 3, 1, 9), "ECR-R": (36, 0, 2, 1, 7), "EIS": (33, 0, 1, 1, 5),
    "EPQ-R": (100, 0, 4, 0, 1), "Empathy": (10, 0, 1, 1, 7), "GSE": (10, 0, 1, 1, 4), "ICB": (8, 0, 1, 1, 6),
    "LMS": (9, 0, 3, 1, 5), "LOT-R": (10, 4, 1, 0, 4), "WLEIS": (16, 0, 4, 1, 7),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_each_real_questionnaire_is_read(name: str) -> None:
    if not REAL.is_dir():
        pytest.skip("the real questionnaires are not here")
    found = read(name, json.loads((REAL / f"{name}.json").read_text(encoding="utf-8")))
    fillers = sum(item.filler for item in found.items)
    assert (len(found.items), fillers, len(found.dimensions), found.scale.min, found.scale.max) == SIZES[name]
    assert found.languages == LANGUAGES
    assert found.falls == (name == "16Personalities")


def test_agreement_follows_the_words_of_the_scale_and_not_its_numbers() -> None:
    rows = pl.DataFrame({"answer": [1, 4, 7, 1], "least": 1, "most": 7, "rises": [True, True, True, False]})
    found = rows.select(agreement(pl.col("answer"), pl.col("least"), pl.col("most"), pl.col("rises")))
    assert found.to_series().to_list() == [-1.0, 0.0, 1.0, 1.0]
