import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from persona_assets.engines.vllm.engine import VllmEngine
from persona_assets.lake import Lake
from persona_assets_tests.engines.tiny_model import make_model
from vllm_tests.questions import settings

# Small enough for a machine that runs other things as well; the engine's process inherits it.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[VllmEngine]:
    made = VllmEngine(settings(model))
    yield made
    made.close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")
