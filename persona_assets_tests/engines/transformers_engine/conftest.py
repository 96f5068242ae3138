from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from persona_assets.engines.transformers_engine.engine import TransformersEngine
from persona_assets.settings import Settings
from persona_assets_tests.engines.tiny_model import make_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with random weights."""
    torch.set_num_threads(1)  # threads that wait for one another take seconds where a machine is shared
    return make_model(tmp_path_factory.mktemp("model"), dtype=torch.float32)


@pytest.fixture(scope="session")
def engine(model: Path) -> Iterator[TransformersEngine]:
    made = TransformersEngine(Settings(engine="transformers", model=str(model), transformers_batch=4))
    yield made
    made.close()
