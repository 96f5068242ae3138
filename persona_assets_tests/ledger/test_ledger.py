import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.ids import digest, make_id
from persona_assets.lake import Lake
from persona_assets.lake.catalog import query
from persona_assets.lake.schemas import CALLS
from persona_assets.ledger import index as call_index
from persona_assets.ledger import ledger as ledger_module
from persona_assets.ledger.ledger import Call, Ledger
from persona_assets.ledger.part_files import calls_frame
from persona_assets.lineage.find import Finder
from persona_assets_tests.engines.doubles import NOW, by_id, call, calls
from persona_assets_tests.engines.tiny import TEMPLATE


@pytest.fixture
def ledger(lake: Lake) -> Ledger:
    return Ledger(lake)


def test_the_columns_of_a_call_are_those_of_the_declared_table() -> None:
    assert list(Call.__slots__) == CALLS.polars.names()


def test_a_stored_call_comes_back_as_it_was(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2))
    assert ledger.lookup("tiny", [call(2).call_id, "call_unknown"]) == by_id(calls(2))


def test_what_another_ledger_stored_is_seen_at_once(lake: Lake, ledger: Ledger) -> None:
    assert ledger.lookup("tiny", [call(1).call_id]) == {}
    Ledger(lake).store("tiny", "d.0000", calls(1))
    assert ledger.lookup("tiny", [call(1).call_id]) == by_id(calls(1))


def test_a_call_is_found_whichever_shard_asked_but_only_in_its_template(ledger: Ledger) -> None:
    ledger.store("tiny", "other.0007", calls(1))
    ledger.store("large", "d.0000", calls(2))
    assert ledger.lookup("tiny", [call(1).call_id, call(2).call_id]) == by_id(calls(1))


def test_a_part_is_named_by_its_bytes(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2))
    [path] = ledger.paths()
    assert path.endswith(f"/calls/template=tiny/shard=d.0000/part-{digest(Path(path).read_bytes())}.parquet")


def test_nothing_is_written_for_no_calls(lake: Lake, ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", [])
    assert not Path(lake.root).exists()


def test_a_shard_name_cannot_leave_the_ledger(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="partition key"):
        ledger.store("tiny", "../../out", calls(1))


def test_find_looks_in_every_template(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1))
    ledger.store("large", "d.0001", calls(2))
    assert ledger.find(call(2).call_id) == call(2)
    assert ledger.find("call_unknown") is None


def test_scan_holds_all_calls_in_the_declared_columns(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2))
    ledger.store("large", "d.0001", calls(3))
    frame = ledger.scan().collect()
    assert frame.schema == CALLS.polars
    assert sorted(frame["call_id"]) == sorted(by_id(calls(1, 2, 3)))


def test_scan_of_an_empty_ledger_is_empty_and_typed(ledger: Ledger) -> None:
    assert ledger.scan().collect().schema == CALLS.polars


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_a_raced_call_the_earlier_counts(ledger: Ledger, order: tuple[int, int]) -> None:
    raced = [call(1, answer="first"), call(1, answer="second", shard="d.0001", created_at=NOW + timedelta(seconds=1))]
    for index in order:
        ledger.store("tiny", raced[index].shard, [raced[index]])
    assert ledger.lookup("tiny", [call(1).call_id])[call(1).call_id].answer == "first"
    assert ledger.find(call(1).call_id) == raced[0]


# Templates


def test_a_kept_template_renders_to_the_same_bytes(ledger: Ledger) -> None:
    ledger.keep_template(TEMPLATE)
    ledger.keep_template(TEMPLATE)
    kept = ledger.template(TEMPLATE.digest)
    fill = {"text": "Пчёлы </document> 蜜蜂"}
    assert kept.render(fill) == TEMPLATE.render(fill)
    assert (kept.digest, kept.response_schema) == (TEMPLATE.digest, TEMPLATE.response_schema)


def test_a_changed_template_is_found_out(lake: Lake, ledger: Ledger) -> None:
    ledger.keep_template(TEMPLATE)
    path = Path(lake.root) / "templates" / f"{TEMPLATE.digest}.json"
    path.write_text(path.read_text().replace("You name", "You invent"))
    with pytest.raises(PersonaAssetsError, match=r"changed.*digest differs"):
        ledger.template(TEMPLATE.digest)


@pytest.mark.parametrize("name", ["0" * 32, "../../secret"])
def test_a_template_that_is_not_kept_is_an_error(ledger: Ledger, name: str) -> None:
    with pytest.raises(PersonaAssetsError, match="template"):
        ledger.template(name)


# Columns


def test_held_is_aligned_with_what_was_asked(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2))
    asked = [call(number).call_id for number in (2, 7, 1, 2)]
    assert ledger.held("tiny", asked).tolist() == [True, False, True, True]
    assert ledger.held("other", asked).tolist() == [False] * 4
    assert ledger.held("tiny", []).tolist() == []


def test_answers_have_one_row_per_held_id_and_the_columns_asked_for(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2))
    ledger.store("tiny", "d.0001", calls(2, 3))
    found = ledger.answers("tiny", [call(number).call_id for number in (3, 2, 2, 9)], ("tokens_in", "answer"))
    assert found.columns == ["tokens_in", "answer"]
    assert sorted(found["answer"]) == [call(2).answer, call(3).answer]
    assert ledger.answers("tiny", []).columns == ["call_id", "answer", "finish_reason", "tokens_out", "model"]


def test_calls_stored_as_a_frame_are_those_stored_one_by_one(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2))
    [part] = ledger.paths()
    ledger.store_frame("large", "d.0000", calls_frame(calls(1, 2)))
    assert ledger.paths("large") == [part.replace("template=tiny", "template=large")]


def test_a_frame_without_a_declared_column_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match=r"missing columns.*answer"):
        ledger.store_frame("tiny", "d.0000", calls_frame(calls(1)).drop("answer"))
    assert ledger.paths() == []


# A part written before `faults` was a column


@pytest.fixture
def old_part(lake: Lake) -> Path:
    data = io.BytesIO()
    calls_frame(calls(1, 2)).drop("faults").write_parquet(data)
    path = f"{lake.root}/calls/template=tiny/shard=d.0000/part-{digest(data.getvalue())}.parquet"
    lake.write_bytes(path, data.getvalue())
    return Path(path)


def test_an_old_part_reads_with_the_default_of_a_later_column(lake: Lake, old_part: Path) -> None:
    ledger = Ledger(lake)
    assert ledger.lookup("tiny", list(by_id(calls(1, 2)))) == by_id(calls(1, 2))
    assert ledger.verify() == []
    assert ledger.scan().sort("created_at").collect().equals(calls_frame(calls(1, 2)))


def test_old_and_new_parts_are_merged(lake: Lake, old_part: Path) -> None:
    ledger = Ledger(lake)
    ledger.store("tiny", "d.0000", [call(3, faults="timeout")])
    assert ledger.scan().sort("created_at").collect()["faults"].to_list() == ["", "", "timeout"]
    ledger.compact("tiny", "d.0000")
    [merged] = ledger.paths()
    assert pl.read_parquet(merged).equals(calls_frame([*calls(1, 2), call(3, faults="timeout")]))


@pytest.mark.parametrize("beside_new", [False, True])
def test_the_catalogue_reads_an_old_part(lake: Lake, old_part: Path, beside_new: bool) -> None:
    if beside_new:
        Ledger(lake).store("tiny", "d.0000", [call(3, faults="timeout")])
    found = query(lake, "SELECT call_id, faults FROM calls ORDER BY created_at")
    assert found["faults"].to_list() == ["", "", *["timeout"] * beside_new]


def test_an_audit_finds_a_call_of_an_old_part(lake: Lake, old_part: Path) -> None:
    found = Finder(lake, []).call(call(2).call_id, "tiny")
    assert found is not None
    assert Call(**found.row) == call(2)


def test_a_part_without_another_column_is_set_aside(lake: Lake, old_part: Path) -> None:
    pl.read_parquet(old_part).drop("answer").write_parquet(old_part)
    ledger = Ledger(lake)
    assert ledger.lookup("tiny", [call(1).call_id]) == {}
    assert ledger.paths() == []


# Properties

SHARDS = st.sampled_from(["d.0000", "d.0001"])
number = st.integers(0, 25)
store = st.tuples(st.just("store"), SHARDS, st.lists(number, max_size=8))
none: st.SearchStrategy[list[int]] = st.just([])
compact = st.tuples(st.just("compact"), SHARDS, none)
disturb = st.tuples(st.sampled_from(["fresh", "look", "delete index", "cut index", "flip index"]), SHARDS, none)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    root = tmp_path_factory.mktemp("ledgers")
    yield (root / str(index) for index in range(10**9))


def disturb_index(lake: Lake, action: str) -> None:
    for path in Path(lake.root).glob("_index/**/*.run"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= action == "flip index"
        path.unlink() if action == "delete index" else path.write_bytes(data[: 60 if action == "cut index" else None])


@pytest.mark.parametrize("tail", [0, 5, 1000])
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.one_of(store, store, compact, disturb), max_size=20))
def test_any_sequence_of_stores_merges_and_damage_to_the_index_is_a_dictionary(
    folders: Iterator[Path], tail: int, steps: list[tuple[str, str, list[int]]]
) -> None:
    lake = Lake(next(folders))
    ledger, everything = Ledger(lake), [make_id("call", n) for n in range(26)]
    expected: dict[str, Call] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call_index, "TAIL_ROWS", tail)
        patch.setattr(ledger_module, "SMALL_PARTS", 3)
        patch.setattr(ledger_module, "SMALL_BYTES", 0)
        for time, (action, shard, numbers) in enumerate(steps):
            if action == "store":
                later = timedelta(seconds=time)  # each store is earlier than those before, so it wins
                made = [call(n, shard=shard, answer=f"{n} at {time}", created_at=NOW - later) for n in numbers]
                ledger.store("tiny", shard, made)
                expected.update(by_id(made))
            elif action == "compact":
                ledger.compact("tiny", shard)
            elif action == "fresh":
                ledger = Ledger(lake)
            elif action == "look":
                assert ledger.held("tiny", everything).tolist() == [one in expected for one in everything]
            else:
                disturb_index(lake, action)
        assert ledger.lookup("tiny", everything) == expected
        assert Ledger(lake).lookup("tiny", everything) == expected
        assert ledger.held("tiny", everything).tolist() == [one in expected for one in everything]
        assert ledger.verify() == []
