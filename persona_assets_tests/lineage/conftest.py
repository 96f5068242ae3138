import shutil
from pathlib import Path

import pytest

from persona_assets.lake import Lake
from persona_assets_tests.lineage.small_lake import Small, build, settings_for


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small lake, for tests that only read it."""
    return build(tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(built: Small, tmp_path: Path) -> Small:
    """A copy of the small lake, to tamper with."""
    shutil.copytree(Path(built.settings.lake).parent, tmp_path / "copy")
    settings = settings_for(tmp_path / "copy")
    return Small(Lake(settings.lake), settings)
