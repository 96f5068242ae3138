from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from persona_assets.dedup import run as run_module
from persona_assets.dedup.run import dedup_dump
from persona_assets.dedup.seals import Seal, changed_shards, sealed_dumps, seals
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import PERSONA_SURVIVORS
from persona_assets.state import LakeState
from persona_assets.steps.model import Progress
from persona_assets.steps.runner import Context, Report
from persona_assets.text.encoder import PACKAGED
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake, verdicts

TEACHER = "A retired mathematics teacher from a small mining town who now tutors evening classes for adult learners"
REORDERED = (
    "Adult learners: a retired mathematics teacher, from a small mining town, who now tutors evening classes for"
)
NEAR = TEACHER + " daily"
MEANING = "a physician who treats heart disease in elderly patients"
PARAPHRASE = "a doctor who treats heart disease in elderly patients"
OTHER = "A fisherman who repairs nets and predicts the weather from the colour of the sea"
CHINESE = ["研究唐代诗歌的大学生", "农村里记录天气的养蜂人", "在上海写打印机驱动的软件工程师", "照顾患病母亲的护士"]


def by_text(lake: Lake) -> dict[str, list[dict[str, object]]]:
    rows: dict[str, list[dict[str, object]]] = {}
    for row in verdicts(lake).to_dicts():
        rows.setdefault(row["text"], []).append(row)
    return rows


def test_each_method_removes_what_is_its_own(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [TEACHER, OTHER, MEANING], "b.0000": [TEACHER, REORDERED, NEAR, PARAPHRASE]})
    reports = dict(dedup_dump(context(lake), "b"))
    rows = verdicts(lake).filter(pl.col("dump") == "b").rows_by_key("text", named=True, unique=True)
    assert {text: row["method"] for text, row in rows.items()} == {
        TEACHER: "exact",
        REORDERED: "exact",
        NEAR: "lexical",
        PARAPHRASE: "semantic",
    }
    assert rows[NEAR]["survivor_text"] == rows[REORDERED]["survivor_text"] == TEACHER
    assert rows[NEAR]["similarity"] == pytest.approx(16 / 17, abs=1e-4)
    assert rows[PARAPHRASE]["survivor_dump"] == "a"
    assert rows[PARAPHRASE]["semantic_compared"]
    assert not rows[NEAR]["semantic_compared"]
    assert reports["a"].kept == reports["a"].inputs == 3
    assert reports["b"].kept == 0
    assert dict(reports["b"].rejected) == {"exact": 2, "lexical": 1, "semantic": 1}


def test_of_equal_texts_the_first_in_canonical_order_survives(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0001": [TEACHER, TEACHER], "a.0000": [TEACHER]})
    dedup_dump(context(lake), "a")
    rows = verdicts(lake)
    assert rows["kept"].to_list() == [True, False, False]
    assert rows["survivor_id"].unique().to_list() == [rows["persona_id"].min()]


def test_survivors_from_before_the_semantic_hop_was_on_are_encoded_and_compared(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [OTHER, MEANING], "b.0000": [PARAPHRASE]})
    dedup_dump(context(lake, semantic=False), "a")
    dedup_dump(context(lake), "b")
    assert by_text(lake)[PARAPHRASE][0]["method"] == "semantic"
    assert by_text(lake)[PARAPHRASE][0]["survivor_text"] == MEANING


@pytest.mark.parametrize("strategy", ["minhash", "paper"])
def test_another_strategy_makes_its_own_segments_of_earlier_dumps(tmp_path: Path, strategy: str) -> None:
    lake = make_lake(tmp_path, {"a.0000": [TEACHER, OTHER], "b.0000": [TEACHER, NEAR]})
    dedup_dump(context(lake), "a")
    dedup_dump(context(lake, dedup_strategy=strategy), "b")
    methods = {row["text"]: row["method"] for row in verdicts(lake).filter(pl.col("dump") == "b").to_dicts()}
    assert methods == {TEACHER: "exact", NEAR: "lexical"}


def test_unrelated_chinese_personas_are_not_removed_by_the_english_encoder(tmp_path: Path) -> None:
    """It maps most of their characters to [UNK], which would make them look alike."""
    lake = make_lake(tmp_path, {"a.0000": [*CHINESE, OTHER, CHINESE[0] + "。"]})
    [(_, report)] = dedup_dump(context(lake, semantic_threshold=0.4, encoder=PACKAGED), "a")
    rows = by_text(lake)
    assert all(rows[text][0]["kept"] != rows[text + "。"][0]["kept"] for text in CHINESE[:1])
    assert all(rows[text][0]["kept"] and not rows[text][0]["semantic_compared"] for text in CHINESE[1:])
    assert report.extra["not_compared"] == 4
    assert rows[OTHER][0]["semantic_compared"]


def test_texts_without_words_are_kept_apart_unless_they_are_equal(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": ["🙂", "🙃", "", " ", "🙂", "...", "\u0301"]})
    [(_, report)] = dedup_dump(context(lake), "a")
    assert (report.kept, dict(report.rejected)) == (5, {"exact": 2})
    assert report.extra["not_compared"] == 5


def test_empty_shards_and_dumps_get_empty_partitions(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [], "b.0000": [TEACHER]})
    reports = dict(dedup_dump(context(lake), "b"))
    assert (reports["a"].inputs, reports["b"].kept) == (0, 1)
    assert lake.exists(PERSONA_SURVIVORS, "a")


def test_waiting_dumps_are_written_in_the_order_of_their_seals(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {f"{dump}.0000": [TEACHER] for dump in "cab"})
    assert [dump for dump, _ in dedup_dump(context(lake), "c")] == ["a", "b", "c"]
    assert verdicts(lake)["kept"].to_list() == [True, False, False]
    assert verdicts(lake)["survivor_dump"].to_list() == ["a", "a", "a"]


def test_running_again_writes_the_same_rows_and_no_other_dump(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [TEACHER, NEAR], "b.0000": [NEAR, MEANING]})
    dedup_dump(context(lake), "b")
    before = verdicts(lake)
    assert [dump for dump, _ in dedup_dump(context(lake), "a")] == ["a"]
    assert [dump for dump, _ in dedup_dump(context(lake), "b")] == ["b"]
    assert verdicts(lake).equals(before)


def test_a_dump_that_changed_is_rebuilt_with_those_after_it(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [OTHER], "b.0000": [TEACHER], "c.0000": [TEACHER]})
    dedup_dump(context(lake), "c")
    assert verdicts(lake)["kept"].to_list() == [True, True, False]
    add_shard(lake, "a.0000", [OTHER, TEACHER])
    assert changed_shards(lake, seals(lake)[0]) == ["a.0000"]
    assert [dump for dump, _ in dedup_dump(context(lake), "a")] == ["a", "b", "c"]
    assert verdicts(lake)["kept"].to_list() == [True, True, False, False]
    assert changed_shards(lake, seals(lake)[0]) == []
    assert sealed_dumps(lake) == ["a", "b", "c"]


def test_an_earlier_dump_that_changed_is_decided_before_the_dump_that_was_asked_for(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [OTHER], "b.0000": [TEACHER]})
    dedup_dump(context(lake), "a")
    add_shard(lake, "a.0000", [TEACHER])
    assert [dump for dump, _ in dedup_dump(context(lake), "b")] == ["a", "b"]
    assert verdicts(lake)["kept"].to_list() == [True, False]


def test_a_crash_after_the_first_of_two_dumps_is_made_good_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second dump lost for the sake of the first comes back, though the first is not touched again."""
    lake = make_lake(tmp_path, {"a.0000": [OTHER, TEACHER], "b.0000": [TEACHER]})
    dedup_dump(context(lake), "b")
    assert verdicts(lake)["kept"].to_list().count(False) == 1
    add_shard(lake, "a.0000", [OTHER])
    real = run_module._write_survivors

    def crash(standing: Context, sequence: Sequence[Seal]) -> Report:
        if sequence[-1].dump == "b":
            raise KeyboardInterrupt
        return real(standing, sequence)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_module, "_write_survivors", crash)
        dedup_dump(context(lake), "a")
    assert [dump for dump, _ in dedup_dump(context(lake), "a")] == ["a", "b"]
    assert verdicts(lake)["kept"].all()


def test_survivors_that_another_run_replaces_meanwhile_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(tmp_path, {"a.0000": [OTHER, OTHER + " at noon at night"], "b.0000": [TEACHER]})
    dedup_dump(context(lake), "a")
    real = run_module.canonical_parts

    def parts(at: Lake, seal: Seal, rows: int, scratch: Path) -> Iterator[pl.DataFrame]:
        yield from real(at, seal, rows, scratch)
        if seal.dump == "b":
            dedup_dump(context(lake, run_id="other", lexical_threshold=0.5), "a")

    monkeypatch.setattr(run_module, "canonical_parts", parts)
    with pytest.raises(PersonaAssetsError, match="another run has written what b is compared with anew"):
        dedup_dump(context(lake), "b")
    assert not lake.exists(PERSONA_SURVIVORS, "b")


def test_a_stricter_threshold_for_one_dump_rebuilds_those_after_it(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [TEACHER, NEAR], "b.0000": [OTHER]})
    dedup_dump(context(lake, lexical_threshold=1, semantic_threshold=1), "b")
    assert verdicts(lake)["kept"].all()
    assert [dump for dump, _ in dedup_dump(context(lake), "a")] == ["a", "b"]


def test_the_report_shows_similarities_and_the_largest_groups(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [TEACHER, TEACHER, TEACHER, NEAR, OTHER, OTHER]})
    [(_, report)] = dedup_dump(context(lake), "a")
    histogram = report.extra["similarity"]
    assert len(histogram["bins"]) == len(histogram["exact"]) + 1
    assert sum(histogram["exact"]) + sum(histogram["lexical"]) == 4
    assert [group["removed"] for group in report.extra["largest_groups"]] == [3, 1]
    assert report.extra["pairs"] == {"lexical": 1, "semantic": 0, "candidates": 1, "skipped": 0}
    assert report.extra["duplicate_rate"] == {"exact": 0.1667, "lexical": 0.5, "semantic": 0.0}
    assert report.extra["recall"] == {"lexical": 1.0, "semantic": 1.0}


def test_a_dump_is_decided_when_another_run_has_made_the_one_before_it_meanwhile(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, {"a.0000": [TEACHER], "b.0000": [OTHER]})
    made, met = Event(), Event()

    def making(done: int, total: int | None = None, note: str = "") -> None:
        if done:  # and the lease is held
            made.set()
            assert met.wait(60)

    def waiting(done: int, total: int | None = None, note: str = "") -> None:
        if note.startswith("waiting for"):
            met.set()

    def run(dump: str, progress: Progress) -> list[str]:
        own = context(lake, f"run of {dump}")
        keeper = LakeState(lake, own.settings)
        return [one for one, _ in dedup_dump(replace(own, keeper=keeper, progress=progress), dump)]

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(run, "a", making)
        assert made.wait(60)
        second = threads.submit(run, "b", waiting)
        assert (first.result(), second.result()) == (["a"], ["b"])
    assert verdicts(lake)["kept"].to_list() == [True, True]
