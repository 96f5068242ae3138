import importlib.util
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import dedup_peers, dedup_report, encoders, export
from benchmarks.dedup_input import generate
from benchmarks.dedup_quality import Mask, cosine_neighbours, draw_sample, lexical_neighbours, named_precision, score
from benchmarks.measure import measured

GIVEN = [
    "A retired teacher who bakes bread for the whole village every Sunday morning",
    "A software engineer who writes printer drivers and collects old radios at home",
    "A nurse from a small town who sings in the choir and grows tomatoes",
]
# Of ten words: 0, 1 and 3 are equal as sets, 2 has one of eleven more (10/11), 4 is two away from 0 (9/11).
TEXTS = [
    "a b c d e f g h i j",
    "J i h g f e d c b a!",
    "a b c d e f g h i j k",
    "a b c d e f g h i j",
    "b c d e f g h i j k",
]
ALL = np.arange(len(TEXTS))


def kept(*rows: int) -> Mask:
    mask: Mask = np.zeros(len(TEXTS), bool)
    mask[list(rows)] = True
    return mask


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "texts.parquet"
    pl.DataFrame({"text": TEXTS}).write_parquet(path)
    return path


def test_the_input_is_the_same_for_the_same_seed() -> None:
    assert generate(GIVEN, 200, 7) == generate(GIVEN, 200, 7)
    assert generate(GIVEN, 200, 7) != generate(GIVEN, 200, 8)
    assert len(generate(GIVEN, 200, 7)) == 200


def test_brute_force_finds_the_pairs_at_the_threshold(file: Path) -> None:
    near = lexical_neighbours(file, ALL, 10 / 11)
    pairs = {(row, other) for row, other in zip(near.row.tolist(), near.other.tolist(), strict=True) if row < other}
    assert pairs == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (2, 4)}


def test_brute_force_looks_at_all_rows_for_sampled_ones_only(file: Path) -> None:
    near = lexical_neighbours(file, np.array([4]), 0.9)
    assert (near.row.tolist(), near.other.tolist()) == ([4], [2])


@pytest.mark.parametrize("order", [kept(0, 4), kept(3, 4), kept(2)])
def test_a_greedy_choice_in_any_order_is_right(file: Path, order: Mask) -> None:
    found = score(lexical_neighbours(file, ALL, 0.9), order)
    assert (found.recall, found.precision, found.left) == (1, 1, 0)


def test_a_missed_pair_costs_recall(file: Path) -> None:
    found = score(lexical_neighbours(file, ALL, 0.9), kept(0, 1, 4))
    assert (found.recall, found.precision, found.left) == (2 / 3, 1, 1 / 7)


def test_a_group_dropped_whole_costs_precision(file: Path) -> None:
    found = score(lexical_neighbours(file, ALL, 0.9), kept(4))
    assert (found.recall, found.precision) == (1, 1 / 4)


def test_nothing_flagged_has_no_precision(file: Path) -> None:
    assert score(lexical_neighbours(file, ALL, 0.9), kept(*ALL)).precision is None


def test_the_sample_holds_flagged_rows() -> None:
    flags = np.ones(1000, bool)
    flags[[3, 500]] = False
    sample = draw_sample([flags, np.ones(1000, bool)], seed=1, size=10)
    assert {3, 500} <= set(sample.tolist())
    assert len(sample) <= 12
    assert sample.tolist() == draw_sample([flags, np.ones(1000, bool)], seed=1, size=10).tolist()


def test_cosines_and_the_greedy_baseline() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.99, 0.1411], [0, 1]], np.float32)
    keep = dedup_peers.greedy(vectors)
    assert keep.tolist() == [True, True, False, True]
    found = score(cosine_neighbours(vectors, 0.9), keep)
    assert (found.recall, found.precision) == (1, 1)


def test_a_named_survivor_must_be_kept_and_near() -> None:
    verdicts = pl.DataFrame({"row": [0, 1, 2], "keep": [True, False, False], "survivor": [0, 0, 1]})
    texts = pl.Series(["a b c", "A B C.", "a b c"])
    assert named_precision(verdicts, texts, np.eye(3, dtype=np.float32), 0.9, 0.0) == 1 / 2


@pytest.mark.parametrize("name", dedup_peers.LEXICAL)
def test_peers_tell_copies_from_others(name: str) -> None:
    package = name.partition(" ")[0]
    if not importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed: pip install -e '.[bench]'")
    keep = dedup_peers.LEXICAL[name]([*GIVEN, GIVEN[0].upper()])
    assert keep[1:3].all()
    assert not keep[3]


def test_the_report_names_the_ratio_to_each_peer() -> None:
    quality = {"recall": 1.0, "precision": None, "left": 0.0}
    common = {"cpu_s": 1.0, "peak_mb": 10.0, "flagged": 1, "quality": quality}
    results = [
        {"contender": "ours exact", "rows": 1000, "wall_s": 1.0, **common},
        {"contender": "rensa", "rows": 100, "wall_s": 0.5, **common},
        {"contender": "ours exact", "rows": 100, "wall_s": 0.1, **common},
    ]
    lines = dedup_report.table(results, ("rensa",)).splitlines()
    assert [line.split("|")[-2].strip() for line in lines] == ["x rensa", "---:", "", "5.0", "5.0\\*"]


def test_the_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text("# Results\n\nfirst\n")
    for text in ("old", "new"):
        dedup_report.write_section(file, f"{dedup_report.HEADING}\n\n{text}\n")
    assert file.read_text() == f"# Results\n\nfirst\n\n{dedup_report.HEADING}\n\nnew\n"


def test_a_command_is_measured_apart_from_who_measures() -> None:
    held = np.ones(25_000_000)  # 200 MB, which a child forked from here would be charged with
    usage = measured([sys.executable, "-c", "print(7)"])
    assert (usage.output.strip(), held[0]) == ("7", 1)
    assert usage.peak_mb < 100


def test_a_failing_contender_ends_the_benchmark_with_its_error() -> None:
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        measured([sys.executable, "-c", "1 / 0"])


def test_the_people_are_the_same_in_each_language() -> None:
    people = encoders.people()
    assert set(people) == set(encoders.LANGUAGES)
    for persons in people.values():
        assert len(persons) == len(people["en"])
        for one in persons:
            assert set(one) == {"told", "anew", "one_word", "other", "same_world"}
            assert len({*one["told"], *(one[way] for way in one if way != "told")}) == 7


def test_the_area_under_the_curve_and_the_equal_limit_are_what_they_say() -> None:
    same, others = np.array([0.9, 0.8, 0.5]), np.array([0.6, 0.5])
    assert encoders.roc(same, others) == pytest.approx((2 + 2 + 0.5) / 6)
    assert encoders.equal_limit(others, 0.5) == pytest.approx(0.505)
    assert encoders.equal_limit(others, 0.0) == pytest.approx(0.605)


@pytest.mark.parametrize("who", ["ours", "DuckDB"])
def test_each_contender_exports_every_row_of_the_lake(tmp_path: Path, who: str) -> None:
    lake = export.build(tmp_path, 4, 2)
    usage, size = export.once(who, "chatml", lake, tmp_path)  # which counts the ids
    assert usage.peak_mb > 0 and size > 0
