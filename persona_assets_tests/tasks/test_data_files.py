"""Data files as tables, whose partitions are named sets."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lineage.audit import audit
from persona_assets.lineage.model import Status
from persona_assets.making import make
from persona_assets.prompts.template import Reads
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.rows import partition_of
from persona_assets_tests.conftest import context as asking
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.rows import context, draft
from persona_assets_tests.tasks.own import answer_of, task, write

SURVEY = {"question": "Do you drink tea?", "options": ["yes", "no"], "size": 2}
ASKED = task(
    "answers", "{{ question }} {{ options | join('/') }}", answer_of(choice="string"), reads={"file": "surveys/*.yaml"},
    over={"language": ["en"]},
)  # fmt: skip


def files(folder: Path, **texts: str) -> Path:
    """A folder `data` of these files, `a_yaml` for a.yaml."""
    (folder / "data").mkdir(exist_ok=True)
    for name, text in texts.items():
        stem, _, kind = name.rpartition("_")
        (folder / "data" / f"{stem}.{kind}").write_text(text, encoding="utf-8")
    return folder


def step(folder: Path, file: str = "data/*", **values: Any) -> DataStep:
    return DataStep(Reads(file=file, table="themes", **values), folder / "task.yaml")


def read(lake: Lake, one: DataStep, key: str) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows of a partition as the files have them, and why others were set aside."""
    one.run(context(lake, Settings()), key)
    rows = lake.read(one.table, key).select("place", *one.own_columns).sort("place").drop("place").to_dicts()
    aside = lake.rejects(one.table, key).sort("record_offset").select("reason", "detail").collect().rows()
    return rows, aside


@pytest.mark.parametrize(
    "name, text",
    [
        ("a_yaml", "- {name: tea, weight: 2}\n- {name: Чай, weight: 3}\n"),
        ("a_json", '[{"name": "tea", "weight": 2}, {"name": "Чай", "weight": 3}]'),
        ("a_jsonl", '{"name": "tea", "weight": 2}\n\n{"name": "Чай", "weight": 3}\n'),
    ],
)
def test_each_format_gives_the_same_rows(lake: Lake, tmp_path: Path, name: str, text: str) -> None:
    rows, aside = read(lake, step(files(tmp_path, **{name: text})), "a")
    assert (rows, aside) == ([{"name": "tea", "weight": 2}, {"name": "Чай", "weight": 3}], [])


def test_a_line_of_csv_is_a_row_of_texts_and_an_empty_cell_is_nothing(lake: Lake, tmp_path: Path) -> None:
    text = 'name,note\ntea,"black, hot"\n茶,\ntoo,many,cells\n'
    rows, aside = read(lake, step(files(tmp_path, a_csv=text)), "a")
    assert rows == [{"name": "tea", "note": "black, hot"}, {"name": "茶", "note": None}]
    assert [reason for reason, _ in aside] == ["not_a_row"]


def test_a_text_file_is_one_row(lake: Lake, tmp_path: Path) -> None:
    assert read(lake, step(files(tmp_path, ada_md="# Ada\n\nShe counts.\n")), "ada") == (
        [{"text": "# Ada\n\nShe counts.\n"}],
        [],
    )


def test_a_mapping_is_one_row_and_under_a_key_stand_rows_by_id(lake: Lake, tmp_path: Path) -> None:
    text = yaml.safe_dump({"kinds": {"e": {"manner": {"en": "talks"}}, "i": {"manner": {"en": "waits", "zh": "等"}}}})
    folder = files(tmp_path, poles_yaml=text)
    [whole], _ = read(lake, step(folder), "poles")
    assert set(whole) == {"kinds"}
    rows, _ = read(lake, step(folder, rows="kinds"), "poles")
    assert rows == [
        {"id": "e", "manner": {"en": "talks", "zh": None}},
        {"id": "i", "manner": {"en": "waits", "zh": "等"}},
    ]


def test_what_does_not_fit_is_set_aside_with_its_place(lake: Lake, tmp_path: Path) -> None:
    text = yaml.safe_dump([{"n": 1}, {"n": 1}, {}, {"Ab": 1}, {"n": [1]}, {"n": None}, {"place": 3}])
    rows, aside = read(lake, step(files(tmp_path, a_yaml=text)), "a")
    assert rows == [{"n": 1}]
    assert [reason for reason, _ in aside] == ["repeated", "empty", "wrong_key", "wrong_type", "empty", "wrong_key"]
    assert aside[3][1] == "n is List(Int64), where others are Int64"


@pytest.mark.parametrize("text", ["- [", "\x00", "- !!python/object:os.system x", "just words"])
def test_a_file_that_cannot_be_read_is_one_reject_that_names_it(lake: Lake, tmp_path: Path, text: str) -> None:
    folder = files(tmp_path, a_yaml=text, b_yaml="- {n: 1}")
    rows, aside = read(lake, step(folder), "a")
    assert (rows, [(reason, detail.startswith("a.yaml: ")) for reason, detail in aside]) == ([], [("unreadable", True)])
    assert read(lake, step(folder), "b") == ([{"n": 1}], [])


def test_a_new_file_with_numbers_where_others_have_texts_breaks_no_other(lake: Lake, tmp_path: Path) -> None:
    folder = files(tmp_path, b_yaml="options: [often, never]")
    assert read(lake, step(folder), "b")[0] == [{"options": ["often", "never"]}]
    files(tmp_path, a_yaml="options: [1, 2.5, true]")
    assert read(lake, step(folder), "a") == ([{"options": ["1", "2.5", "true"]}], [])
    assert read(lake, step(folder), "b")[0] == [{"options": ["often", "never"]}]


_PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=5
)  # fmt: skip
_VALUE = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner), max_leaves=5
)


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), _VALUE, max_size=3), max_size=6))
def test_every_row_is_kept_or_set_aside_and_ids_follow_from_content(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    place = tmp_path_factory.mktemp("rows")
    lake, one = Lake(place / "lake"), step(files(place, a_json=_json(rows)))
    report = one.run(context(lake, Settings()), "a")
    assert (report.inputs, report.kept + report.rejected.total()) == (len(rows), len(rows))
    ids = lake.read(one.table, "a")["row_id"].to_list()
    files(place, a_json=_json(rows[::-1]))
    one.run(context(lake, Settings()), "a")
    if not report.rejected:  # of repeated ones the first counts
        assert set(lake.read(step(place).table, "a")["row_id"]) == set(ids)


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False)


def test_a_partition_is_a_file_or_a_row_and_names_that_are_none_are_told(tmp_path: Path) -> None:
    folder = files(tmp_path, a_yaml="[{id: one}, {id: two}]", b_json='[{"id": "one"}, {"n": 1}, {"id": "x y"}]')
    by_file = step(folder).look()
    assert (list(by_file.sources), by_file.warnings) == (["a", "b"], ())
    by_row = step(folder, partitions="rows").look()
    assert list(by_row.sources) == ["one", "two"]
    assert [warning.partition(":")[0] for warning in by_row.warnings] == ["data/b.json"] * 3


def test_a_row_as_partition_hangs_on_its_own_content_alone(tmp_path: Path) -> None:
    folder = files(tmp_path, a_yaml="[{id: one, n: 1}, {id: two, n: 2}]")
    before = step(folder, partitions="rows").look().sources
    files(folder, a_yaml="[{id: new, n: 0}, {id: one, n: 1}, {id: two, n: 3}]")
    after = step(folder, partitions="rows").look().sources
    assert [after[key].content == before[key].content for key in ("one", "two")] == [True, False]


def test_where_a_wildcard_stands_for_folders_their_names_tell_files_of_one_name_apart(tmp_path: Path) -> None:
    for folder in ("a", "b/c", "b"):
        (tmp_path / "logs" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "logs" / folder / "one.yaml").write_text("- {n: 1}", encoding="utf-8")
    assert list(step(tmp_path, "logs/**/*").look().sources) == ["a-one", "b-c-one", "b-one"]
    assert list(step(tmp_path, "logs/b/*").look().sources) == ["one"]


def test_a_text_that_ends_in_half_a_character_is_set_aside_and_the_others_are_read(lake: Lake, tmp_path: Path) -> None:
    text = json.dumps([{"n": "\ud83d"}, {"n": "whole \U0001f600"}, {"n": ["\ude00"]}])
    for one in (step(files(tmp_path, a_json=text)), step(tmp_path, texts=("n",))):
        rows, aside = read(lake, one, "a")
        assert [row["n"] for row in rows] == ["whole \U0001f600"]
        assert {reason for reason, _ in aside} == {"wrong_type"}


def test_no_file_is_a_warning_that_names_where_it_was_looked_for(tmp_path: Path) -> None:
    [warning] = step(tmp_path, "none/*.yaml").look().warnings
    assert warning.endswith(f"there is no file {tmp_path}/none/*.yaml")


# In the graph


FUNCTION = """
import polars as pl
from persona_assets.tasks.derived import data_files, derived

@derived(reads=(data_files("surveys/*.yaml"), "chosen"), columns={"words": pl.Int64, "from_ids": pl.List(pl.String)},
         cites={"from_ids": "chosen"}, description="Words of all that was chosen.")
def words(surveys: pl.LazyFrame, chosen: pl.LazyFrame) -> pl.LazyFrame:
    ids = chosen.select(from_ids=pl.col("row_id").sort().implode())
    return surveys.join(ids, how="cross").select(
        "from_ids", parent_ids=pl.concat_list("row_id"), words=pl.col("question").str.count_matches(" ") + 1
    )

@derived(reads=data_files("chosen.yaml", rows="all", table="chosen", partitions="rows"), columns={"n": pl.Int64},
         description="A number of each.")
def numbers(chosen: pl.LazyFrame) -> pl.LazyFrame:
    return chosen.select(parent_ids=pl.concat_list("row_id"), n=pl.col("n") * 2)
"""


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A task and two functions over two named sets."""
    folder = tmp_path / "tasks"
    settings = write(folder, ASKED)
    (folder / "surveys").mkdir()
    (folder / "surveys" / "tea.yaml").write_text(yaml.safe_dump(SURVEY), encoding="utf-8")
    (folder / "surveys" / "bus.yaml").write_text(yaml.safe_dump(SURVEY | {"question": "Free buses?"}), encoding="utf-8")
    (folder / "chosen.yaml").write_text("all: {one: {n: 1}, two: {n: 2}}", encoding="utf-8")
    (folder / "words.py").write_text(FUNCTION, encoding="utf-8")
    return settings.model_copy(update={"lake": str(tmp_path / "lake")})


def made(lake: Lake, settings: Settings, *names: str) -> LakeState:
    """The lake, after all partitions of these assets were made that can be."""
    engine = Scripted(lambda _: '{"choice": "yes"}')
    for name in names:
        state = LakeState(lake, settings)
        for key in state.keys(name):
            if state.of(name, key).to_do:
                list(make(asking(lake, engine, tasks=settings.tasks), state, state.assets[name], key, again=False))
    return LakeState(lake, settings)


NEW = ("surveys", "chosen", "answers", "words", "numbers")


def test_what_reads_data_files_has_their_partitions_and_hangs_on_all_of_another_set(lake: Lake, own: Settings) -> None:
    state = LakeState(lake, own)
    assert {name: state.keys(name) for name in NEW} == {
        **{name: ["bus", "tea"] for name in ("surveys", "answers", "words")},
        **{name: ["one", "two"] for name in ("chosen", "numbers")},
    }
    assert state.parents("words", "tea") == [("surveys", "tea"), ("chosen", "one"), ("chosen", "two")]
    assert state.of("words", "tea").why == "surveys tea is missing and 2 more"


def test_rows_of_a_set_are_made_asked_about_and_audited_to_their_file(lake: Lake, own: Settings) -> None:
    state = made(lake, own, *NEW)
    assert {str(one.state) for one in state.all() if one.asset in NEW} == {"done"}
    for name in ("answers", "words", "numbers"):
        result = audit(lake, own, lake.read(state.assets[name].table, state.keys(name)[0])["sample_id"][0])
        assert {check.status for check in result.verifications} == {Status.OK}, name
    [word] = lake.read(state.assets["words"].table, "bus").to_dicts()
    result = audit(lake, own, word["sample_id"])
    assert sorted(parent.id for parent in result.root.parents) == sorted([*word["parent_ids"], *word["from_ids"]])
    assert {parent.parents[0].kind for parent in result.root.parents} == {"data_file"}


def test_a_changed_file_makes_its_partition_stale_and_no_other(lake: Lake, own: Settings) -> None:
    made(lake, own, *NEW)
    file = Path(str(own.tasks)) / "surveys" / "tea.yaml"
    file.write_text(yaml.safe_dump(SURVEY | {"question": "Coffee?"}), encoding="utf-8")
    state = LakeState(lake, own)
    assert state.of("surveys", "tea").why == "made from another surveys/surveys/tea.yaml"
    assert [state.of(name, "bus").state for name in ("surveys", "answers", "words")] == [State.DONE] * 3
    state = made(lake, own, "surveys")
    assert (state.of("answers", "tea").state, state.of("answers", "bus").state) == (State.STALE, State.DONE)


def test_where_a_file_is_gone_its_partitions_are_left_out_and_the_audit_says_so(lake: Lake, own: Settings) -> None:
    state = made(lake, own, *NEW)
    row = lake.read(state.assets["answers"].table, "tea")["sample_id"][0]
    (Path(str(own.tasks)) / "surveys" / "tea.yaml").unlink()
    state = LakeState(lake, own)
    assert [state.of(name, "tea").state for name in ("surveys", "answers")] == [State.LEFT_OUT] * 2
    assert state.of("answers", "bus").state is State.DONE
    result = audit(lake, own, row)
    assert result.ok
    assert "its data file is gone" in {check.detail for check in result.verifications}


def test_a_row_that_was_changed_in_the_lake_fails_the_audit(lake: Lake, own: Settings) -> None:
    state = made(lake, own, "surveys")
    table = state.assets["surveys"].table
    frame = lake.read(table, "tea")
    lake.write(table, "tea", frame.with_columns(question=pl.lit("Other?")), "tampered")
    failed = [one.name for one in audit(lake, own, frame["row_id"][0]).verifications if one.status is Status.FAILED]
    assert "data_row" in failed


def test_a_new_key_of_a_set_makes_what_hangs_on_all_of_it_stale(lake: Lake, own: Settings) -> None:
    made(lake, own, *NEW)
    (Path(str(own.tasks)) / "chosen.yaml").write_text("all: {one: {n: 1}, two: {n: 2}, three: {n: 3}}")
    state = LakeState(lake, own)
    assert (state.of("words", "tea").state, state.of("numbers", "one").state) == (State.WAITING, State.DONE)
    assert made(lake, own, "chosen").of("words", "tea").why == "made from another chosen/three"


def test_a_function_is_given_the_partitions_that_its_record_names(lake: Lake, own: Settings) -> None:
    state = made(lake, own, *NEW)
    words, chosen = (state.assets[name].table for name in ("words", "chosen"))
    scan = partition_of(lake, words, "tea", ["surveys/tea", "chosen/two"])
    assert scan(chosen).select("n").collect()["n"].to_list() == [2]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"reads": {"file": "x.yaml", "row": "y"}}, "reads.row: unknown key; did you mean rows?"),
        ({"reads": {"rows": "y"}}, "reads: names neither a table nor a file"),
        (
            {"reads": {"table": "themes", "rows": "y"}},
            "reads: `rows`, `partitions`, `texts` and `most_bytes` are of data",
        ),
        ({"reads": {"file": "*.yaml"}}, "reads: '*.yaml' cannot name a table: name it by `table`"),
        ({"reads": {"file": "x.yaml", "table": "answers"}}, "reads: the name answers is taken"),
        ({"reads": {"file": "x.yaml", "table": "dump"}}, "reads: the name dump is taken"),
        ({"reads": {"file": "surveys/*.yaml", "partitions": "lines"}}, "reads.partitions: Input should be 'files'"),
        (
            {"messages": [{"role": "user", "content": "{{ questin }}"}]},
            "'questin' is not there to use; did you mean qu",
        ),
    ],
)
def test_mistakes_are_told_with_file_line_and_key(own: Settings, change: dict[str, Any], said: str) -> None:
    write(Path(str(own.tasks)), ASKED | change)
    with pytest.raises(UsageError) as error:
        datasets(own)
    assert "answers.yaml:" in str(error.value)
    assert said in str(error.value)


def test_other_files_under_the_same_name_are_refused(own: Settings) -> None:
    write(Path(str(own.tasks)), ASKED | {"reads": {"file": "other/*.yaml", "table": "surveys"}})
    with pytest.raises(UsageError, match=r"surveys are other files in .*; name the table otherwise by `table`"):
        datasets(own)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"from_ids": "chosen"', '"from_id": "chosen"', "which is no column"),
        ('"from_ids": "chosen"', '"from_ids": "people"', "which it does not read"),
        ('"from_ids": "chosen"', '"words": "chosen"', "a text or a list of"),
        ('"chosen")', '"persona_survivors")', "partitioned by dumps"),
    ],
)
def test_mistakes_of_functions_are_told(own: Settings, old: str, new: str, said: str) -> None:
    (Path(str(own.tasks)) / "words.py").write_text(FUNCTION.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"words\.py:\d+: .*{said}"):
        datasets(own)


def test_the_asset_says_where_it_is_declared(own: Settings) -> None:
    assert assets(own)["surveys"].source[0].name in ("answers.yaml", "words.py")


def test_a_markdown_file_is_a_partition_that_passes_its_gates(lake: Lake, tmp_path: Path) -> None:
    """Text without a language, as worlds and profiles have it."""
    worlds = step(files(tmp_path, reef_md="# Reef\n\nA city of coral."))
    worlds.run(context(lake, Settings()), "reef")
    assert [one.name for one in run_gates(lake, draft(lake, worlds.table, "reef"), Settings()) if not one.passed] == []


def test_a_row_of_a_megabyte_is_set_aside_where_a_table_says_how_large_one_may_be(lake: Lake, tmp_path: Path) -> None:
    worlds = step(files(tmp_path, huge_md="# Huge\n\n" + "A city of coral. " * 65_536), most_bytes=20_000)
    report = worlds.run(context(lake, Settings()), "huge")
    assert (report.kept, dict(report.rejected)) == (0, {"too_large": 1})
    detail = lake.rejects(worlds.table, "huge").collect()["detail"].item()
    assert detail.startswith("it has 1,114,")
    assert detail.endswith("over 20,000: shorten it")


def test_columns_named_as_texts_keep_what_stands_in_them_as_json_with_its_keys_in_order(
    lake: Lake, tmp_path: Path
) -> None:
    told = "- {id: a, answer: {b: 1, a: [x, {c: ж}]}}\n- {id: b, answer: plain}\n"
    notes = step(files(tmp_path, notes_yaml=told), texts=("answer",))
    notes.run(context(lake, Settings()), "notes")
    assert lake.read(notes.table, "notes")["answer"].to_list() == ['{"b": 1, "a": ["x", {"c": "ж"}]}', "plain"]
