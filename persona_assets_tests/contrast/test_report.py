from pathlib import Path

import pytest

from persona_assets.contrast.files import Places
from persona_assets.contrast.page import pairs_page
from persona_assets.contrast.report import Report, check_pairs
from persona_assets.errors import UsageError
from persona_assets.view.html import render_page
from persona_assets_tests.contrast.test_files import written

PAIRS = [
    ("Plan an evening.", "Throw a party and sing!", "Read alone by the window."),
    ("Plan an evening.", "Throw a party and sing!", "throw a party  and sing!"),
    ("How long to sleep?", "Sleep 6 hours, then dance.", "Sleep 8 hours in silence."),
    ("What is wind?", "The wind blew hard through the trees.", "Hard the wind blew through the trees."),
    ("Who am I?", "An extravert, clearly.", "A thinker; introverts know."),
    ("周末做什么？", "和朋友们去唱歌跳舞。", "一个人在家安静地看书。"),
    ("Как отдохнуть?", "Зову друзей, и мы поём до утра.", ""),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("pairs")
    files = [
        written(folder / f"{side}.json", [{"instruction": pair[0], "output": pair[place]} for pair in PAIRS])
        for place, side in ((1, "loud"), (2, "quiet"))
    ]
    return check_pairs(Places(files[0], files[1]))


def test_each_check_counts_by_itself(report: Report) -> None:
    assert report.pairs == len(PAIRS)
    assert report.repeated == 1
    assert {name: count for name, count in report.checks.items() if count} == {
        "empty": 1,
        "identical": 1,
        "names_type": 1,
        "numbers_differ": 1,
    }
    assert report.standing == 3


def test_words_are_counted_by_side(report: Report) -> None:
    assert report.words["pole"] == [1, 1]
    assert report.named == [1, 1]


def test_meaning_is_measured_by_language_where_answers_differ(report: Report) -> None:
    assert [(one.language, one.pairs, one.sampled) for one in report.meaning] == [
        ("en", 5, 4),
        ("ru", 1, 0),
        ("zh", 1, 1),
    ]
    assert [one.above for one in report.meaning] == [1, 0, 0]
    assert all(one.probe is None for one in report.meaning)


def test_examples_name_the_row(report: Report) -> None:
    assert {name: [one.row for one in found] for name, found in report.examples.items() if found} == {
        "identical": [2],
        "numbers_differ": [3],
        "too_alike": [4],
        "names_type": [5],
        "empty": [7],
    }


def test_the_values_say_what_is_not_measured(report: Report) -> None:
    found = report.as_dict()
    assert found["checks"]["code_differs"] == 0
    assert found["meaning"][0]["probe"].startswith("not measured")


def test_the_page_shows_all_texts_as_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> [x](http://example.com)"
    rows = [{"instruction": evil, "output": [f"{evil} 1", f"{evil} 2"], "language": "en"}]
    report = check_pairs(Places(written(tmp_path / "dpo.json", rows)))
    page = render_page(pairs_page([report]))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_sample_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"task {place}", "output": [f"loud song {place}", f"quiet book {place * 7}"], "language": "en"}
        for place in range(30)
    ]
    forwards = check_pairs(Places(written(tmp_path / "a.json", rows)), sample=5)
    backwards = check_pairs(Places(written(tmp_path / "b.json", rows[::-1])), sample=5)
    assert forwards.meaning[0].sampled == 5
    assert forwards.meaning[0].median == pytest.approx(backwards.meaning[0].median)


def test_a_file_without_rows_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    with pytest.raises(UsageError, match=r"empty.jsonl has no rows"):
        check_pairs(Places(path))
