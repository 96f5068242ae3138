"""Semantic dedup in several languages, with the packaged encoders."""

from pathlib import Path

import polars as pl
import pytest

from persona_assets.dedup.file import dedup_file
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.outcome import Job
from persona_assets.dedup.run import dedup_dump
from persona_assets.dedup.strands import CALIBRATIONS, Calibration, encoders_told, make_strands
from persona_assets.lake import Lake
from persona_assets.text.encoder import MULTILINGUAL, PACKAGED
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake, verdicts

# Of each language somebody, the same in other words, and somebody else in nearly the same ones.
CHINESE = (
    "一位当邮递员、在送信路上背诵诗句的泰米尔诗人",
    "一位泰米尔诗人，做邮递员，在送信途中背诵诗句",
    "一位当厨师、用诗句写菜谱的泰米尔诗人",
)
RUSSIAN = (
    "Плотник, который строит деревянные лодки по чертежам прадеда",
    "Плотник, строящий деревянные лодки по чертежам своего прадеда",
    "Плотник, который мастерит деревянные игрушки по желаниям правнуков",
)
ENGLISH = (
    "A retired primary school teacher who writes letters to the local newspaper about the history of her railway",
    "A retired primary-school teacher who writes letters to the local paper on the history of her railway",
    "A retired primary school teacher who writes letters to the local newspaper about the birds of her pond",
)
# One person in three languages.
TEACHERS = [
    ENGLISH[0],
    "一位退休的小学女教师，常给当地报纸写信，讲述村里铁路的历史",
    "Учительница начальных классов на пенсии, которая пишет в местную газету письма об истории железной дороги в своей "
    "деревне",
]
GREEK = "Συνταξιούχος δασκάλα από την Αθήνα"


def kept(lake: Lake) -> dict[str, str]:
    """By removed text the text that stands for it."""
    removed = verdicts(lake).filter(~pl.col("kept"))
    assert set(removed["method"]) <= {"semantic"}
    return dict(removed.select("text", "survivor_text").iter_rows())


@pytest.mark.parametrize("texts", [CHINESE, RUSSIAN, ENGLISH], ids=["zh", "ru", "en"])
def test_a_persona_in_other_words_goes_and_another_one_stays(tmp_path: Path, texts: tuple[str, ...]) -> None:
    lake = make_lake(tmp_path, {"a.0000": [texts[0]], "b.0000": texts[1:]})
    dedup_dump(context(lake), "b")
    assert kept(lake) == {texts[1]: texts[0]}
    assert verdicts(lake)["semantic_compared"].all()


def test_languages_are_compared_apart_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "apart", {"a.0000": TEACHERS})
    dedup_dump(context(lake), "a")
    assert kept(lake) == {}
    lake = make_lake(tmp_path / "across", {"a.0000": [TEACHERS[0]], "b.0000": [*TEACHERS[1:], ENGLISH[2], CHINESE[2]]})
    dedup_dump(context(lake, across_languages=True), "b")
    assert kept(lake) == dict.fromkeys(TEACHERS[1:], TEACHERS[0])


def test_across_languages_texts_of_one_language_are_held_to_the_stricter_limit(tmp_path: Path) -> None:
    """Their cosine is above what is asked of two languages, and they are two people."""
    lake = make_lake(tmp_path, {"a.0000": [CHINESE[0], CHINESE[2], *RUSSIAN[::2]]})
    [(_, report)] = dedup_dump(context(lake, across_languages=True, semantic_threshold=0.85), "a")
    assert kept(lake) == {}
    [told] = report.extra["encoders"]
    assert (told["threshold"], told["threshold_across"]) == (0.88, 0.7)


def test_the_report_names_encoder_and_threshold_of_each_script(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [*CHINESE, *RUSSIAN[:2], ENGLISH[0], GREEK]})
    [(_, report)] = dedup_dump(context(lake), "a")
    used = {one["script"]: (one["encoder"], one["threshold"], one["encoded"]) for one in report.extra["encoders"]}
    assert used == {
        "Latin": (PACKAGED, 0.9, 1),
        "Chinese": (MULTILINGUAL, 0.92, 3),
        "Cyrillic": (MULTILINGUAL, 0.92, 2),
    }
    assert report.extra["not_compared"] == 1
    assert (
        "compared by meaning, in Chinese script",
        f"3 texts by {MULTILINGUAL}, cosine 0.92",
    ) in encoders_told(report.extra["encoders"])


def test_vectors_of_two_encoders_are_kept_apart(tmp_path: Path) -> None:
    """A lake that all-MiniLM-L6-v2 read alone, as earlier versions did, then each language its own, then one all."""
    lake = make_lake(tmp_path, {"a.0000": [CHINESE[0], ENGLISH[0]]})
    dedup_dump(context(lake, encoder=PACKAGED), "a")
    assert len(list(tmp_path.glob("embeddings/*"))) == 1
    add_shard(lake, "b.0000", [CHINESE[1], ENGLISH[1]])
    dedup_dump(context(lake), "b")
    assert kept(lake) == {CHINESE[1]: CHINESE[0], ENGLISH[1]: ENGLISH[0]}
    folders = {path.name.split("=")[1].rsplit("-", 1)[0]: path for path in tmp_path.glob("embeddings/*")}
    assert set(folders) == {name.replace("/", "-") for name in (PACKAGED, MULTILINGUAL)}
    read = pl.read_parquet([*folders[MULTILINGUAL.replace("/", "-")].glob("*/*.parquet")])
    assert read.height == 2  # the Chinese ones
    dedup_dump(context(lake, across_languages=True), "b")
    assert kept(lake) == {CHINESE[1]: CHINESE[0], ENGLISH[1]: ENGLISH[0]}


def test_a_named_encoder_reads_every_script(tmp_path: Path) -> None:
    strands = make_strands(Lake(tmp_path), PACKAGED, 0.8, 0.2, across=False)
    assert {strand.cache.encoder.name for strand in strands} == {PACKAGED}
    assert {strand.limits.within for strand in strands} == {0.8}
    [strand] = make_strands(Lake(tmp_path), MULTILINGUAL, 0.9, 0.2, across=True)
    assert strand.limits.of(*pl.DataFrame({"a": [0, 1], "b": [0, 2]})).tolist() == pytest.approx([0.92, 0.74])


@pytest.mark.parametrize("across", [False, True])
def test_the_report_on_a_file_says_what_was_compared_by_what(tmp_path: Path, across: bool) -> None:
    file, report = tmp_path / "in.parquet", tmp_path / "report.md"
    pl.DataFrame({"text": [*TEACHERS, *CHINESE]}).write_parquet(file)
    job = Job(file, Scheme("exact", 0.9), semantic=0.9, across=across, report=report, part=2)
    outcome = dedup_file(job)
    assert outcome.kept == (3 if across else 5)
    assert outcome.removed["semantic"] == (3 if across else 1)
    said = report.read_text(encoding="utf-8")
    if across:
        limits = "cosine 0.92, across scripts 0.74"
        assert f"compared by meaning, in all scripts | 6 texts by {MULTILINGUAL}, {limits} |" in said
    else:
        assert f"compared by meaning, in Latin script | 1 texts by {PACKAGED}, cosine 0.9 |" in said
        assert f"compared by meaning, in Chinese script | 4 texts by {MULTILINGUAL}, cosine 0.92 |" in said


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 1.0])
def test_a_threshold_without_calibration_stands_as_it_is(threshold: float) -> None:
    assert Calibration().limits(threshold, across=True).within == threshold
    assert CALIBRATIONS[MULTILINGUAL].limits(1.0, across=False).within == 1.0
