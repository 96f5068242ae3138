import shutil
from pathlib import Path

import pytest

from persona_assets.settings import Settings
from persona_assets_tests.plan.work import Work


def settings_for(folder: Path) -> Settings:
    return Settings(
        lake=str(folder / "lake"), dumps=str(folder / "dumps"), settle_s=0, files_per_shard=1, hops=1, fanout=(1,)
    )


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Two shards of two pages each, nothing read yet."""
    made = Work(tmp_path, settings_for(tmp_path))
    made.drop("d", "a.jsonl", 0, 1)
    made.drop("d", "b.jsonl", 2, 3)
    return made


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    made = Work(folder, settings_for(folder))
    made.drop("d", "a.jsonl", 0, 1)
    made.drop("d", "b.jsonl", 2, 3)
    made.run()
    return folder


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Work:
    """The same with everything made, as a copy of its own."""
    shutil.copytree(_finished, tmp_path / "copy")
    return Work(tmp_path / "copy", settings_for(tmp_path / "copy"))
