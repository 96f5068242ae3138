from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.engines.ledger import Call, Ledger
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.ids import digest, make_id
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CALLS
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


# Properties

number = st.integers(0, 25)
store = st.tuples(st.just("store"), st.sampled_from(["d.0000", "d.0001"]), st.lists(number, max_size=8))
compact = st.tuples(st.just("compact"), st.sampled_from(["d.0000", "d.0001"]), st.just([]))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    root = tmp_path_factory.mktemp("ledgers")
    yield (root / str(index) for index in range(10**9))


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.one_of(store, compact), max_size=12), fresh=st.booleans())
def test_any_sequence_of_stores_and_compactions_is_a_dictionary(
    folders: Iterator[Path], steps: list[tuple[str, str, list[int]]], fresh: bool
) -> None:
    lake = Lake(next(folders))
    ledger = Ledger(lake)
    expected: dict[str, Call] = {}
    for time, (action, shard, numbers) in enumerate(steps):
        if action == "compact":
            ledger.compact("tiny", shard)
            continue
        made = [
            call(n, shard=shard, answer=f"{n} at {time}", created_at=NOW - timedelta(seconds=time)) for n in numbers
        ]
        ledger.store("tiny", shard, made)
        expected.update(by_id(made))  # each store is earlier than those before, so it wins
    reader = Ledger(lake) if fresh else ledger
    assert reader.lookup("tiny", [make_id("call", n) for n in range(26)]) == expected
    assert reader.verify() == []
