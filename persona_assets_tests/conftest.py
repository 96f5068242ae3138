from pathlib import Path

import hypothesis
import pytest

from persona_assets.engines.base import Engine
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context

# Machines are shared: an example that takes long says nothing about the code.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of its own for each test."""
    return Lake(tmp_path / "lake")


def context(lake: Lake, engine: Engine, run_id: str = "run", **settings: object) -> Context:
    """What a hop needs, with these settings and otherwise the defaults."""
    return Context(lake, Settings(lake=lake.root, **settings), engine, run_id)
