"""The released data of Machine Mindset (arXiv 2312.12999), where it is at hand."""

from pathlib import Path

import polars as pl
import pytest

from persona_assets.contrast.files import Places, read_pairs
from persona_assets.contrast.report import Report, check_pairs
from persona_assets.errors import UsageError

DATA = Path(__file__).parents[3] / "shared" / "data" / "machine_mindset"
EN = Places(
    DATA / "behaviour_en" / "en_energy_extraversion.json", DATA / "behaviour_en" / "en_energy_introversion.json"
)
ZH = Places(DATA / "zh_energy_extraversion.json", DATA / "zh_energy_introversion.json")
DPO = Places(DATA / "dpo_energy_i_e.json")
SAMPLE = 300  # pairs that are encoded here; all of them give the figures of docs/mindset.md
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}")


@pytest.fixture(scope="module")
def english() -> Report:
    return check_pairs(EN, "en", sample=SAMPLE)


@pytest.fixture(scope="module")
def chinese() -> Report:
    return check_pairs(ZH, "zh", sample=SAMPLE)


def test_the_defects_of_the_english_pairs_are_found(english: Report) -> None:
    assert (english.pairs, english.checks["identical"], english.repeated) == (2050, 24, 212)
    assert english.words["pole"] == [146, 294]
    assert english.checks["numbers_differ"] == 8


def test_the_defects_of_the_chinese_pairs_are_found(chinese: Report) -> None:
    assert (chinese.pairs, chinese.checks["identical"], chinese.repeated) == (1417, 50, 10)


def test_the_defects_of_the_preferences_are_found() -> None:
    found = check_pairs(DPO, sample=1)
    assert (found.pairs, found.checks["identical"], found.repeated) == (1209, 31, 2)


@pytest.mark.parametrize(("language", "least"), [("en", 0.90), ("zh", 0.85)])
def test_the_probe_tells_the_poles_apart(request: pytest.FixtureRequest, language: str, least: float) -> None:
    report: Report = request.getfixturevalue({"en": "english", "zh": "chinese"}[language])
    [found] = report.meaning
    assert found.probe
    assert found.probe.accuracy >= least
    assert 0.45 <= found.probe.shuffled <= 0.55


def test_a_shuffled_file_is_not_aligned(tmp_path: Path) -> None:
    other = pl.read_json(EN.one).reverse()
    other.write_ndjson(tmp_path / "other.jsonl")
    with pytest.raises(UsageError, match="row 1 asks"):
        next(read_pairs(Places(EN.one, tmp_path / "other.jsonl"), "en"))
