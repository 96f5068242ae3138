"""Parquet files by split."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.export import files
from persona_assets.export.files import SplitFiles


def numbers(start: int, count: int) -> pl.DataFrame:
    return pl.DataFrame({"number": range(start, start + count)}, schema={"number": pl.Int64})


@given(sizes=st.lists(st.tuples(st.sampled_from(["train", "test"]), st.integers(1, 30)), max_size=12))
def test_every_row_is_written_once_in_order_in_files_and_groups_of_the_size(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[str, int]]
) -> None:
    folder, given_rows = tmp_path_factory.mktemp("files"), dict[str, list[int]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ROW_GROUP", 5)
        patch.setattr(files, "FILE_ROWS", 20)
        writer = SplitFiles(folder)
        for split, count in sizes:
            start = sum(map(len, given_rows.values()))
            given_rows.setdefault(split, []).extend(range(start, start + count))
            writer.append(split, numbers(start, count))
        writer.close()
    assert len(list(folder.iterdir())) == sum(-(-len(rows) // 20) for rows in given_rows.values())
    for split, rows in given_rows.items():
        found = sorted(folder.glob(f"{split}-*.parquet"))
        assert pl.concat(map(pl.read_parquet, found))["number"].to_list() == rows
        about = [pq.ParquetFile(file).metadata for file in found]
        assert [one.num_rows for one in about[:-1]] == [20] * (len(found) - 1)
        assert all(one.row_group(group).num_rows <= 5 for one in about for group in range(one.num_row_groups))


@pytest.mark.parametrize("name", ["../x", "a/b", "A", "", "two words", "a\n"])
def test_a_split_that_cannot_name_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a file"):
        SplitFiles(tmp_path).append(name, numbers(0, 1))
    assert list(tmp_path.iterdir()) == []


def test_too_many_splits_are_an_error(tmp_path: Path) -> None:
    writer = SplitFiles(tmp_path)
    for number in range(files.MOST_SPLITS):
        writer.append(f"s{number}", numbers(0, 1))
    with pytest.raises(UsageError, match="over 100 values"):
        writer.append("one_more", numbers(0, 1))
