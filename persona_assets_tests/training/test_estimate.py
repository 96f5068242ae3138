"""What a training takes is told beforehand, and what does not fit is refused with what would."""

from pathlib import Path

import pytest

from persona_assets.training.estimate import GIB, Extent, Machine, check, estimate, sizes, this_machine
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Base, Job, JobStage, Scratch, Train
from persona_assets.training.scratch import make_model, make_tokenizer
from persona_assets_tests.training.jobs import SIZES

LARGE = Scratch(hidden=4096, layers=32, heads=32, vocabulary=128000, feed_forward=11008, length=4096)
EXTENT = {"sft": Extent(rows=10_000, tokens=5_000_000, longest=2048)}


def gpu(gib: int, devices: int = 1) -> Machine:
    return Machine("cuda", "H100", devices, gib * GIB, 990e12 * devices)


def given(base: Scratch | Path = LARGE, **train: object) -> Job:
    settings = Train.model_validate({"batch": 8, **train})
    stages = [JobStage(id="sft", kind="sft", train=settings, rows=Path("rows.parquet"))]
    return Job(base=Base(folder=base) if isinstance(base, Path) else base, stages=stages)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of a model of seven billion numbers, by its header alone."""
    folder = tmp_path_factory.mktemp("large")
    header = b'{"weight":{"dtype":"BF16","shape":[1000,7000000],"data_offsets":[0,14000000000]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (folder / "config.json").write_text(
        '{"hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 32000, "intermediate_size": 11008}'
    )
    return folder


def test_the_parameters_of_a_model_from_scratch_are_counted() -> None:
    tokenizer = make_tokenizer(["one two three"], SIZES)
    made = SIZES.model_copy(update={"vocabulary": len(tokenizer)})
    model = make_model(made, tokenizer, 0)
    assert sizes(made).parameters == sum(weight.numel() for weight in model.parameters())


def test_the_parameters_of_a_folder_are_those_of_its_files(saved: Path) -> None:
    assert sizes(saved).parameters == 7_000_000_000


def test_seven_billion_do_not_fit_and_adapters_do(saved: Path) -> None:
    """Weights, gradients and two numbers of AdamW: 16 bytes each, 104 GiB."""
    with pytest.raises(TrainingFailed, match=r"take lora") as failed:
        check(given(saved), EXTENT, gpu(80))
    assert failed.value.reason == "out_of_memory"
    assert check(given(saved, lora={}, batch=2), EXTENT, gpu(80))[0].memory < 80 * GIB


def test_a_smaller_batch_is_advised_that_fits(saved: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"batch: \d+, accumulate: \d+") as failed:
        check(given(saved, lora={}, batch=64), EXTENT, gpu(48))
    said = str(failed.value)
    batch, more = (int(said.partition(f"{name}: ")[2].partition(",")[0]) for name in ("batch", "accumulate"))
    assert batch * more == 64
    check(given(saved, lora={}, batch=batch, accumulate=more), EXTENT, gpu(48))


def test_where_nothing_fits_a_smaller_base_is_advised(saved: Path) -> None:
    with pytest.raises(TrainingFailed, match="smaller base"):
        check(given(saved), EXTENT, gpu(4))


def test_muon_needs_less_than_adamw() -> None:
    muon, adamw = (estimate(given(optimizer=name), EXTENT, gpu(80))[0].memory for name in ("muon", "adamw"))
    assert muon < adamw


def test_more_gpus_take_less_time_and_rows_each() -> None:
    one, four = (estimate(given(), EXTENT, gpu(80, number))[0] for number in (1, 4))
    assert four.seconds == pytest.approx(one.seconds / 4, rel=0.2)
    assert four.memory < one.memory


def test_time_grows_with_epochs_and_pairs_take_a_look_at_the_reference_too() -> None:
    once, twice = (estimate(given(epochs=number), EXTENT, gpu(80))[0].seconds for number in (1, 2))
    assert twice == pytest.approx(2 * once, rel=0.01)
    job = given()
    pairs = job.model_copy(update={"stages": [job.stages[0].model_copy(update={"kind": "dpo"})]})
    assert estimate(pairs, EXTENT, gpu(80))[0].seconds > once


def test_this_machine_is_measured() -> None:
    found = this_machine()
    assert found.devices >= 1
    assert found.memory > 100 << 20
    assert found.speed > 1e8


def test_a_folder_without_sizes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TrainingFailed, match=r"config\.json"):
        sizes(tmp_path)


def test_words() -> None:
    needed = estimate(given(), EXTENT, gpu(80))[0]
    assert "GiB" in needed.told()
