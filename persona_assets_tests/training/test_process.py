"""Trainings in their child process: interrupted, gone on with, ended with whoever started them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Job, JobStage
from persona_assets.training.process import set_up, train
from persona_assets_tests.training.jobs import job, lines, same_weights, stage, trained_here

PARENT = """
import sys
from pathlib import Path
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Job
from persona_assets.training.process import set_up, train
def told(done, total=None, note=""):
    print(note, flush=True)
train(Job.model_validate_json(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), told)
"""


# A command in a namespace of the network that has nothing but a loopback.
LOOPBACK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
ALONE = bool(shutil.which("unshare") and shutil.which("ip")) and not subprocess.run([*LOOPBACK, "true"]).returncode


class Killed(Exception):
    """Raised by who is told of steps: the child is killed then."""


def kill_at(stage: str, step: int, job: Job, folder: Path) -> list[int]:
    """Kill a training (SIGKILL) once it has done that step of that stage; the steps that it told, as they stood."""
    stood: list[int] = []

    def told(done: int, total: int | None = None, note: str = "") -> None:
        stood.append(done if total else stood[-1] + done)
        if note.startswith(stage) and stood[-1] >= step:
            raise Killed

    with pytest.raises(Killed):
        train(job, folder, told)
    return stood


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def stages(files: Path) -> list[JobStage]:
    muon = {"optimizer": "muon", "muon_rate": 0.02, "warmup": 0.2}
    return [stage(files, "text"), stage(files, "sft", epochs=2, **muon), stage(files, "dpo", accumulate=2, epochs=3)]


@pytest.fixture(scope="module")
def interrupted(files: Path, stages: list[JobStage]) -> Path:
    """A job from scratch, killed in its second stage with who asked for it, and in its third one; then done."""
    given, folder = job(stages), files / "interrupted"
    (files / "job.json").write_text(given.model_dump_json())
    command = [sys.executable, "-c", PARENT, str(files / "job.json"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        told = 0
        for line in parent.stdout:
            told += line.startswith("sft")
            if told > 5:
                break
        parent.kill()
    wait_until_gone(str(folder))
    assert not (folder / "model").exists()
    kill_at("dpo", 3, given, folder)
    assert not (folder / "model").exists()
    train(given, folder)
    return folder


@pytest.fixture(scope="module")
def straight(files: Path, stages: list[JobStage], interrupted: Path) -> Path:
    """The same job, never interrupted, in this process."""
    trained_here(job(stages), files / "straight")
    return files / "straight"


def wait_until_gone(named: str) -> None:
    """Wait until no process has that in its command line."""
    end = time.monotonic() + 20
    while children(named):
        assert time.monotonic() < end, "the child lives on"
        time.sleep(0.1)


def children(folder: str) -> list[int]:
    """The processes that train that folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            said = path.read_text()
            found += [int(path.parent.name)] * ("persona_assets.training.worker" in said and folder in said)
    return found


def test_what_was_killed_ends_in_the_same_weights(interrupted: Path, straight: Path) -> None:
    assert same_weights(interrupted / "model", straight / "model")


def test_what_was_killed_has_the_same_log(interrupted: Path, straight: Path) -> None:
    assert lines(interrupted) == lines(straight)


def test_the_log_has_a_line_for_each_step(interrupted: Path) -> None:
    found = [(line["stage"], line["step"]) for line in lines(interrupted)]
    steps = {"text": 5, "sft": 10, "dpo": 8}
    assert found == [(name, step) for name, last in steps.items() for step in range(1, last + 1)]


def test_the_untrained_weights_are_kept_and_others(interrupted: Path) -> None:
    assert not same_weights(interrupted / "base", interrupted / "model")


def test_nothing_but_what_is_promised_is_left(interrupted: Path) -> None:
    names = {"base", "job.digest", "job.json", "log.jsonl", "model", "result.json", "worker.log"}
    assert {path.name for path in interrupted.iterdir()} == names


def test_what_is_done_is_not_done_again(interrupted: Path, stages: list[JobStage]) -> None:
    stamp = (interrupted / "model" / "model.safetensors").stat().st_mtime_ns
    found = train(job(stages), interrupted, lambda *_: pytest.fail("a step was done"))
    assert (found.model / "model.safetensors").stat().st_mtime_ns == stamp


@pytest.mark.skipif(not ALONE, reason="torch listens everywhere, and no network of its own can be made here")
def test_two_processes_share_batches_and_learn_the_same(
    files: Path, stages: list[JobStage], straight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As several GPUs do, here on the CPU, with no network but their own loopback."""
    folder = files / "shared"
    folder.mkdir()
    set_up(job(stages), folder)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    launcher = ["-m", "torch.distributed.run", "--nnodes", "1", "--nproc_per_node", "2", "--master_addr", "127.0.0.1"]
    command = [*LOOPBACK, sys.executable, *launcher, "-m", "persona_assets.training.worker", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as child:
        try:
            assert child.wait(300) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    for mine, theirs in zip(lines(folder), lines(straight), strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert mine["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=0.02)


def test_adapters_that_were_killed_end_in_the_same_weights(files: Path, interrupted: Path) -> None:
    lora = {"rank": 4, "alpha": 8, "dropout": 0.1}
    stages = [stage(files, "sft", epochs=2, lora=lora), stage(files, "dpo", lora=lora)]
    given, folder = job(stages, interrupted / "model"), files / "adapters"
    kill_at("sft", 4, given, folder)
    stood = kill_at("dpo", 2, given, folder)
    assert stood[0] >= 3, "it began anew"
    train(given, folder)
    trained_here(given, files / "adapters-straight")
    assert same_weights(folder / "model", files / "adapters-straight" / "model")
    assert lines(folder) == lines(files / "adapters-straight")


def test_a_child_that_is_killed_is_told_of(files: Path) -> None:
    """By its number, as the system does where memory runs out."""
    given, folder = job([stage(files, "text", epochs=50)]), files / "killed"

    def told(done: int, total: int | None = None, note: str = "") -> None:
        for child in children(str(folder)):
            os.kill(child, signal.SIGKILL)

    with pytest.raises(TrainingFailed, match="signal 9") as failed:
        train(given, folder, told)
    assert failed.value.reason == "crashed"
