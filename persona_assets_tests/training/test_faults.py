"""What cannot be trained is said with its reason, and leaves nothing that could be taken for a model."""

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from persona_assets.errors import UsageError
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.found import find_base
from persona_assets.training.job import Base, Job, Scratch, Train
from persona_assets.training.process import train
from persona_assets_tests.training.jobs import ROWS, SIZES, job, rows_file, stage, trained_here


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained a little."""
    folder = tmp_path_factory.mktemp("base")
    trained_here(job([stage(folder, "sft")]), folder / "trained")
    return folder / "trained" / "model"


@pytest.fixture
def copy(base: Path, tmp_path: Path) -> Path:
    shutil.copytree(base, tmp_path / "copy")
    return tmp_path / "copy"


def reason(given: Job, folder: Path) -> str:
    """Why a job is not trained; there is no model then."""
    with pytest.raises(TrainingFailed) as failed:
        trained_here(given, folder)
    assert not (folder / "model").exists()
    assert not (folder / "result.json").exists()
    return failed.value.reason


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files may not be larger: what is written beyond that fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_row(tmp_path: Path) -> None:
    given = stage(tmp_path, "sft")
    rows_file(given.rows, "sft", rows=0)
    assert reason(job([given]), tmp_path / "out") == "empty"


def test_all_rows_too_long(tmp_path: Path) -> None:
    assert reason(job([stage(tmp_path, "sft", length=8)]), tmp_path / "out") == "all_too_long"


def test_rows_that_are_too_long_are_counted(tmp_path: Path) -> None:
    given = stage(tmp_path, "sft")
    rows = pl.read_parquet(given.rows)
    long = rows.head(3).with_columns(response=pl.lit("1 2 3 4 5 " * 40))
    pl.concat([rows, long]).write_parquet(given.rows)
    figures = trained_here(job([given]), tmp_path / "out")["stages"]["sft"]
    assert (figures["rows"], figures["too_long"], figures["steps"]) == (43, 3, 5)


def test_a_model_from_scratch_has_pieces_of_all_that_is_said_in_conversations(tmp_path: Path) -> None:
    given = stage(tmp_path, "sft")
    said = [{"role": "user", "content": "Zanzibar " * 9}, {"role": "assistant", "content": "Here."}]
    pl.read_parquet(given.rows).with_columns(before=pl.Series([said] * ROWS)).write_parquet(given.rows)
    figures = trained_here(job([given]), tmp_path / "out")["stages"]["sft"]
    assert (figures["rows"], figures["too_long"]) == (ROWS, 0)
    assert "Zanzibar" in (tmp_path / "out" / "model" / "tokenizer.json").read_text(encoding="utf-8")


def test_weights_that_are_no_numbers(copy: Path, tmp_path: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert reason(job([stage(tmp_path, "sft")], copy), tmp_path / "out") == "bad_base"


def test_a_loss_that_is_no_number_any_more(tmp_path: Path) -> None:
    given = stage(tmp_path, "sft", rate=1.0, optimizer="muon", muon_rate=1.0, clip=0, epochs=30, weight_decay=10)
    assert reason(job([given]), tmp_path / "out") == "nan"


def test_weights_that_are_missing(copy: Path, tmp_path: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert reason(job([stage(tmp_path, "sft")], copy), tmp_path / "out") == "bad_base"


def test_a_base_that_is_damaged(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"nothing")
    assert reason(job([stage(tmp_path, "sft")], copy), tmp_path / "out") == "bad_base"


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{% for message in messages %}{{ message.content }}{% endfor %}{% if add_generation_prompt %} say: {% endif %}",
        "{{ raise_exception('only systems') }}",
        "{{ messages[0].content }}",
    ],
    ids=["none", "opens otherwise", "refuses", "no answer"],
)
def test_a_chat_template_without_what_is_needed(copy: Path, tmp_path: Path, template: str | None) -> None:
    (copy / "chat_template.jinja").unlink()
    if template:
        (copy / "chat_template.jinja").write_text(template)
    assert reason(job([stage(tmp_path, "sft")], copy), tmp_path / "out") == "no_chat_template"


def test_texts_need_no_chat_template(copy: Path, tmp_path: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    trained_here(job([stage(tmp_path, "text")], copy), tmp_path / "out")
    assert (tmp_path / "out" / "model").exists()


def test_adapters_for_modules_that_the_base_lacks(base: Path, tmp_path: Path) -> None:
    given = stage(tmp_path, "sft", lora={"targets": ["q_projection"]})
    assert reason(job([given], base), tmp_path / "out") == "bad_base"


def test_a_full_disk(tmp_path: Path) -> None:
    """In the child, which says so; with room again it goes on."""
    given = job([stage(tmp_path, "text")])
    with room_for(40_000), pytest.raises(TrainingFailed) as failed:
        train(given, tmp_path / "out")
    assert failed.value.reason == "disk_full"
    assert not (tmp_path / "out" / "model").exists()
    assert train(given, tmp_path / "out").model.exists()


def test_a_file_of_rows_that_is_not_there(tmp_path: Path) -> None:
    given = stage(tmp_path, "sft")
    given.rows.unlink()
    with pytest.raises(UsageError, match=r"sft\.parquet"):
        train(job([given]), tmp_path / "out")


def test_another_job_in_a_folder_begins_anew(tmp_path: Path) -> None:
    first, second = job([stage(tmp_path, "text")]), job([stage(tmp_path, "text")], seed=1)
    trained_here(first, tmp_path / "out")
    weights = (tmp_path / "out" / "model" / "model.safetensors").read_bytes()
    trained_here(second, tmp_path / "out")
    assert (tmp_path / "out" / "model" / "model.safetensors").read_bytes() != weights


@pytest.mark.parametrize("name", ["packaged:nothing", "/no/such/folder", "no/such-model", "no name: at all"])
def test_a_base_that_is_not_there(name: str) -> None:
    with pytest.raises(TrainingFailed) as failed:
        find_base(name)
    assert failed.value.reason == "base_not_found"


def test_a_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(TrainingFailed) as failed:
        find_base(str(tmp_path))
    assert failed.value.reason == "bad_base"


def test_a_folder_is_found(base: Path) -> None:
    assert find_base(str(base)) == Base(folder=base)


@pytest.mark.parametrize(
    "said",
    [
        {"lora": {}, "optimizer": "muon"},
        {"rate": 0},
        {"epochs": 0},
        {"batch": 0},
        {"schedule": "sawtooth"},
        {"learning_rate": 1e-4},
        {"lora": {"rank": 0}},
    ],
)
def test_settings_that_cannot_be(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Train.model_validate(said)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValidationError, match="twice heads"):
        Scratch(hidden=36, heads=4)
    with pytest.raises(ValidationError, match="key_value_heads"):
        Scratch(hidden=64, heads=4, key_value_heads=3)


def test_a_model_from_scratch_takes_no_adapters(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="lora"):
        job([stage(tmp_path, "sft", lora={})], SIZES)
