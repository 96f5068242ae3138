"""Segments that are cut, empty, changed or foreign are noticed, named, and made again."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from persona_assets.dedup import compare
from persona_assets.dedup.run import dedup_dump
from persona_assets.lake import Lake, verified
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake, verdicts

TEACHER = "A retired mathematics teacher from a small mining town who tutors evening classes for adult learners"
NEAR = TEACHER + " daily"
OTHER = "A fisherman who repairs nets and predicts the weather from the colour of the sea"
MEANING = "a physician who treats heart disease in elderly patients"
PARAPHRASE = "a doctor who treats heart disease in elderly patients"

DAMAGE: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "changed": lambda path: path.write_bytes(path.read_bytes()[:-9] + b"X" + path.read_bytes()[-8:]),
    "gone": lambda path: path.unlink(),
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one deduped dump and a second one that waits."""
    lake = make_lake(tmp_path, {"a.0000": [TEACHER, OTHER]})
    dedup_dump(context(lake, semantic=False), "a")
    add_shard(lake, "b.0000", [NEAR, OTHER])
    return lake


def _stored(lake: Lake, name: str) -> Path:
    [path] = Path(lake.root).glob(f"segments/*/dump=a/*/{name}")
    return path


def _methods(lake: Lake) -> list[str | None]:
    dedup_dump(context(lake, semantic=False), "b")
    return sorted(verdicts(lake).filter(dump="b")["method"].to_list())


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["00000/keys.arrow", "00000/sets.arrow"])
def test_a_damaged_file_of_a_segment_is_named_and_made_again(
    lake: Lake, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = _stored(lake, name)
    before = path.read_bytes()
    DAMAGE[damage](path)
    with caplog.at_level(logging.WARNING):
        assert _methods(lake) == ["exact", "lexical"]
    assert f"{path} is gone, cut or changed" in caplog.text
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["emptied", "cut", "changed"])
def test_a_damaged_note_of_the_segments_is_named_and_made_again(
    lake: Lake, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = _stored(lake, "complete.json")
    before = path.read_bytes()
    DAMAGE[damage](path)
    with caplog.at_level(logging.WARNING):
        assert _methods(lake) == ["exact", "lexical"]
    assert f"{path} is not what was written" in caplog.text
    assert path.read_bytes() == before


def test_segments_of_other_survivors_are_noticed(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    add_shard(lake, "c.0000", [TEACHER])
    _methods(lake)
    dedup_dump(context(lake, semantic=False), "c")
    mine = _stored(lake, "complete.json").parent
    [theirs] = [path.parent for path in Path(lake.root).glob("segments/*/dump=c/*/complete.json")]
    shutil.rmtree(mine)
    shutil.copytree(theirs, mine)
    with caplog.at_level(logging.WARNING):
        assert _methods(lake) == ["exact", "lexical"]
    assert f"{mine}/complete.json is not what was written" in caplog.text


def test_segments_of_the_version_before_are_made_again_without_a_word(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    _stored(lake, "complete.json").write_text('{"parts":1}')
    with caplog.at_level(logging.WARNING):
        assert _methods(lake) == ["exact", "lexical"]
    assert "complete.json" not in caplog.text


def test_a_sound_segment_is_verified_once_per_process(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = verified.file_digest
    monkeypatch.setattr(verified, "file_digest", lambda fs, path: hashed.append(path) or real(fs, path))
    for _ in range(2):
        _methods(lake)
    of_segments = sorted(path for path in hashed if "/segments/" in path)
    assert of_segments == [str(_stored(lake, f"00000/{name}.arrow")) for name in ("keys", "sets")]


def test_a_damaged_segment_on_a_store_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = Lake(tmp_path / "lake")
    # A store like any other, as far as this module goes: written without links, and without folders to be made first.
    lake.is_local, lake.fs = False, LocalFileSystem(auto_mkdir=True)
    add_shard(lake, "a.0000", [TEACHER, OTHER])
    dedup_dump(context(lake, semantic=False), "a")
    add_shard(lake, "b.0000", [NEAR, OTHER])
    [path] = lake.fs.glob(f"{lake.root}/segments/*/dump=a/*/00000/sets.arrow")
    lake.fs.pipe_file(path, b"")
    with caplog.at_level(logging.WARNING):
        assert _methods(lake) == ["exact", "lexical"]
    assert f"{path} is gone, cut or changed" in caplog.text


@pytest.mark.parametrize("damage", ["emptied", "cut", "changed"])
def test_a_damaged_index_of_vectors_is_named_and_made_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "EXACT_PRODUCTS", 0)  # so that an index is worth it
    lake = make_lake(tmp_path, {"a.0000": [OTHER, MEANING]})
    dedup_dump(context(lake), "a")
    add_shard(lake, "b.0000", [PARAPHRASE])
    dedup_dump(context(lake), "b")
    path = _stored(lake, "00000/*.usearch")
    DAMAGE[damage](path)
    with caplog.at_level(logging.WARNING):
        dedup_dump(context(lake), "b")
    assert verdicts(lake).filter(dump="b")["method"].to_list() == ["semantic"]
    assert f"{path} was removed" in caplog.text
    assert path.exists()
