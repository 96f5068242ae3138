from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.characters.profile import Unusable, names_of, profile_of
from persona_assets_tests.characters.profiles import CHINESE, DIARY, ENGLISH, RUSSIAN


def said(text: str) -> list[list[str]]:
    """The statements of a profile, by paragraph."""
    return [[text[start:end] for start, end in one.statements()] for one in profile_of(text).paragraphs]


def test_an_english_profile_has_its_name_sections_and_sentences() -> None:
    profile = profile_of(ENGLISH)
    assert profile.name == "Ada Quill"
    assert [one.section for one in profile.paragraphs] == [None, "Youth", "Early shop", "Early shop"]
    assert said(ENGLISH) == [
        [
            "Ada Quill (3 May 1802 – 9 March 1871) was a clockmaker in Harwick.",
            "She built, among others, clock No. 7 for Dr. Hale.",
        ],
        [
            "Her father, Mr. Marsh, taught her to file wheels.",
            "She was nine then, and c. 1815 she left for London.",
        ],
        [
            '"The dial is a face," she used to say.',
            "It cost £3.50!",
            "Nobody bought it, as the hands went round in an hour and a half.",
        ],
        ["- Her first clock ran backwards.", "- Her second one did not run."],
    ]
    assert profile.last_year == 1871
    assert not profile.dated


def test_a_chinese_profile_is_split_at_its_own_marks() -> None:
    assert profile_of(CHINESE).name == "林秋月"
    assert said(CHINESE) == [
        ["林秋月（1871年3月2日－1932年11月5日）是武夷山的茶商。", "她十二岁开始学制茶。"],
        ["父亲常说：“好茶不等人。”", "她把这句话写在门上！", "后来茶行失火，她只救出账本。"],
    ]
    assert profile_of(CHINESE).last_year == 1932


def test_a_russian_profile_is_not_split_at_abbreviations() -> None:
    assert said(RUSSIAN) == [
        ["Иван Кузнецов (1801—1869) был кузнецом в Твери.", "В 1812 г. он с матерью бежал из города."],
        ["Учил его проф. Лебедев, т. е. дядя.", "Первая решётка треснула!", "Вторая стоит до сих пор."],
    ]
    assert profile_of(RUSSIAN).last_year == 1869


def test_a_diary_has_dates_from_headings_and_from_the_beginning_of_entries() -> None:
    profile = profile_of(DIARY)
    assert [(one.date, one.section, one.text.split(".")[0]) for one in profile.paragraphs] == [
        (None, None, "Tom Ferry kept the ferry at Lowbank"),
        ("1890-04-03", None, "The ice broke today"),
        ("1890-04-05", None, "Jane came with her mother"),
        ("1890-04-07", "the flood", "The landing is gone"),
    ]
    assert profile.dated
    assert profile.last_year == 1890


def test_a_profile_without_a_year_has_no_last_one() -> None:
    assert profile_of("# Ada\n\nShe lives by the sea.\n").last_year is None


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("", "no_name", "begin with one"),
        ("Ada Quill was a clockmaker. She lived in Harwick.", "no_name", "begin with one"),
        ("#\n\nShe was a clockmaker.", "no_name", "begin with one"),
        ("## Ada\n\nShe was a clockmaker.", "no_name", "begin with one"),
        ("She was a clockmaker.\n\n# Ada\n\nIndeed.", "no_name", "line 3"),
        ("# Ada", "no_paragraphs", "tell of them"),
        ("# Ada\n\n## Youth\n", "no_paragraphs", "tell of them"),
        ("# Ada\n\nShe was.\n\n# Tom\n\nHe was.", "several_names", "lines 1 and 5"),
    ],
)
def test_what_is_no_profile_is_told_with_a_remedy(text: str, reason: str, said: str) -> None:
    with pytest.raises(Unusable, match=said) as found:
        profile_of(text)
    assert found.value.reason == reason


def test_a_bare_line_with_nothing_below_it_is_no_heading() -> None:
    assert said("# Ada\n\nShe was a clockmaker.\n\nStill missed") == [["She was a clockmaker."], ["Still missed"]]


def test_a_profile_of_300_kb_keeps_every_paragraph() -> None:
    text = "# Ada\n\n" + "\n\n".join(f"In the year {year} she wound clock {year}. It ran." for year in range(6000))
    assert len(text) > 250_000
    paragraphs = said(text)
    assert len(paragraphs) == 6000
    assert paragraphs[-1] == ["In the year 5999 she wound clock 5999.", "It ran."]


_LINES = st.lists(st.text(st.sampled_from("ab. !?。！-1#\n «»“”年Щ"), max_size=40), max_size=12)


@given(_LINES)
def test_statements_stand_in_order_and_leave_nothing_out_of_a_paragraph(lines: list[str]) -> None:
    text = "# Ada\n\nShe was.\n\n" + "\n".join(lines)
    try:
        profile = profile_of(text)
    except Unusable:
        return
    for one in profile.paragraphs:
        assert text[one.start : one.end] == one.text
        spans = [*one.statements()]
        assert all(start < end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        joined = "".join("".join(text[start:end].split()) for start, end in spans)
        assert joined == "".join(one.text.split())


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("Ludwig van Beethoven", ["Ludwig van Beethoven", "Ludwig", "Beethoven"]),
        ("Socrates", ["Socrates"]),
        ("林秋月", ["林秋月", "秋月"]),
        ("Лев", ["Лев"]),
        ("阿依古丽·买买提", ["阿依古丽·买买提", "阿依古丽", "买买提"]),
    ],
)
def test_others_may_call_a_character_by_a_part_of_the_name(name: str, names: list[str]) -> None:
    assert names_of(name) == names
