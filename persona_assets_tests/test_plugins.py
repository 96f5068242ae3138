"""Packages that are installed add rules, engines and formats; a real package is laid beside this one."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.finished_lake import build
from persona_assets import plugins
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.rules import registry
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State

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


PERSONA_RULE = """
import polars as pl

from persona_assets.rules import rule


@rule("persona")
def no_beekeeper(frame):
    "Nobody keeps bees."
    return frame.select(pl.col("text").str.extract("beekeeper", 0)).to_series()
"""
DOCUMENT_RULE = """
from persona_assets.rules import rule


@rule("document")
def no_honey(text, settings):
    "No text is of honey."
    return "honey" if "honey" in text else None
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


# In this process

Install = Callable[..., Path]


def forget() -> None:
    """What is cached of installed packages."""
    for cached in (plugins.entries, plugins.installed, registry.rules):
        cached.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package of one module with entry points, or writes its module anew."""
    modules: set[str] = set()

    def installed(name: str, group: str, *entries: str, source: str) -> Path:
        folder = tmp_path / "site" / name
        told = folder / f"{name}-1.0.dist-info"
        told.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(source)
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (told / "entry_points.txt").write_text("\n".join([f"[persona_assets.{group}]", *entries]))
        monkeypatch.syspath_prepend(folder)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        modules.add(name)
        forget()
        return folder

    forget()
    yield installed
    for name in modules:
        sys.modules.pop(name, None)
    forget()


def remove(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(folder)])
    sys.modules.pop(folder.name, None)
    forget()


class Finished:
    """A lake of two shards in which everything is done."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(
            lake=str(root / "lake"), dumps=str(root / "dumps"), tasks=None, models=None, settle_s=0, files_per_shard=1
        )
        self.make()

    def make(self) -> None:
        self.lake = build(self.settings, {"a": 2})

    def stale(self) -> dict[str, str]:
        """Assets whose partitions are stale by themselves, with the reason."""
        found = LakeState(Lake(self.settings.lake), self.settings).all()
        return {one.asset: one.why for one in found if one.state is State.STALE}


@pytest.fixture
def lake(tmp_path: Path) -> Finished:
    return Finished(tmp_path)


def test_a_new_rule_of_personas_makes_what_it_judges_stale(lake: Finished, install: Install) -> None:
    install("hives", "rules", "hives = hives", source=PERSONA_RULE)
    assert lake.stale() == dict.fromkeys(("expanded_personas", "filtered_personas"), "rule no_beekeeper: new")


def test_a_new_rule_of_documents_makes_what_it_judges_stale(lake: Finished, install: Install) -> None:
    install("sweet", "rules", "sweet = sweet", source=DOCUMENT_RULE)
    assert lake.stale() == {"raw_documents": "rule no_honey: new"}


def test_a_rule_of_a_package_that_changed_makes_what_it_judged_stale(tmp_path: Path, install: Install) -> None:
    install("sweet", "rules", "sweet = sweet", source=DOCUMENT_RULE)
    lake = Finished(tmp_path)
    assert lake.stale() == {}
    install("sweet", "rules", "sweet = sweet", source=DOCUMENT_RULE.replace('"honey" in', '"Honey" in'))
    assert lake.stale() == {"raw_documents": "rule no_honey: its file changed"}


def test_a_rule_of_a_package_that_went_makes_what_it_judged_stale(
    tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install("sweet", "rules", "sweet = sweet", source=DOCUMENT_RULE)
    lake = Finished(tmp_path)
    remove(folder, monkeypatch)
    assert lake.stale() == {"raw_documents": "rule no_honey: removed"}


def test_rules_of_samples_of_a_package_make_nothing_stale_that_does_not_name_them(
    lake: Finished, install: Install
) -> None:
    install("calm", "rules", "calm = calm", source=RULE)
    assert lake.stale() == {}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("raw_documents", {"schema", "code", "settings"}),
        ("filtered_personas", {"schema", "code", "settings", "given_names"}),
        (
            "expanded_personas",
            {"schema", "code", "settings", "taxonomy", "given_names", "prompt", "repair", "model", "sampling"},
        ),
    ],
)
def test_without_packages_a_recipe_has_no_part_of_theirs(name: str, parts: set[str]) -> None:
    asset, settings = assets(Settings())[name], Settings()
    assert asset.recipe(settings, asset.identity(settings)).keys() == parts


def test_two_packages_may_name_their_rules_alike(install: Install) -> None:
    install("hives", "rules", "rules = hives", source=PERSONA_RULE)
    install("sweet", "rules", "rules = sweet", source=DOCUMENT_RULE)
    assert "no_beekeeper" in registry.rules("persona")
    assert "no_honey" in registry.rules("document")


def test_two_packages_that_claim_one_engine_are_named(install: Install) -> None:
    install("parrots", "engines", "parrot = parrots:Parrot", source=ENGINE)
    install("macaws", "engines", "parrot = macaws:Parrot", source=ENGINE)
    with pytest.raises(UsageError, match="parrot is claimed by macaws and parrots; uninstall one of them"):
        Settings(engine="parrot")
