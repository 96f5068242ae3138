"""Packages that are installed add rules and engines; a real package is laid beside this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = """
from persona_assets.engines.base import Completion, ModelIdentity


class Parrot:
    def __init__(self, settings):
        self.settings = settings

    def identity(self, template):
        return ModelIdentity("parrot", "1")

    def stream(self, requests):
        for request in requests:
            yield [Completion(request.call_id, "{}", "stop", 1, 1, 0.0)]

    def close(self):
        pass
"""
RULE = """
from persona_assets.rules import Sample, rule


@rule()
def no_shouting(sample: Sample, field: str):
    "Nobody shouts."
    return "it shouts" if sample.text(field).isupper() else None
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "parrots.py").write_text(ENGINE)
    (tmp_path / "calm.py").write_text(RULE)
    told = tmp_path / "parrots-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: parrots\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(
        "[persona_assets.engines]\nparrot = parrots:Parrot\n[persona_assets.rules]\ncalm = calm\n"
    )
    return tmp_path


def python(package: Path, code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[1]
    environment = os.environ | settings | {"PYTHONPATH": f"{package}:{root}"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=package, env=environment, capture_output=True, text=True, check=False
    )


def test_an_engine_of_another_package_is_named_like_any_other(package: Path) -> None:
    code = (
        "from persona_assets.settings import load_settings; from persona_assets.engines.select import make_engine; "
        "print(type(make_engine(load_settings())).__name__)"
    )
    assert python(package, code, PERSONA_ENGINE="parrot").stdout.strip() == "Parrot"
    assert "did you mean parrot?" in python(package, code, PERSONA_ENGINE="parot").stderr


def test_a_rule_of_another_package_is_there(package: Path) -> None:
    code = "from persona_assets.rules.registry import rules; print(rules('sample')['no_shouting'].description)"
    assert python(package, code).stdout.strip() == "Nobody shouts."


def test_a_package_that_cannot_be_imported_is_named(package: Path) -> None:
    (package / "calm.py").write_text("import nowhere")
    found = python(package, "from persona_assets.rules.registry import rules; rules('sample')")
    assert "entry point calm of persona_assets.rules: ModuleNotFoundError" in found.stderr
