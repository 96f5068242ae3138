"""Packages that are installed add rules, engines and formats; a real package is laid beside this one."""

import gzip
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from benchmarks.finished_lake import build
from persona_assets import plugins
from persona_assets.crawl import formats
from persona_assets.crawl.documents import read_documents
from persona_assets.crawl.inspect import FileReport, inspect_files
from persona_assets.crawl.items import CrawlFile
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS
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

FORMAT = """
from persona_assets.crawl import Found, Refused, Skipped


def read(file, settings):
    "Letters, each begun by a line `From ADDRESS`, ended by a dot."
    offset, at, lines = 0, 0, None
    for line in file:
        if line.startswith(b"From "):
            address, at, lines = line[5:].strip().decode(), offset, []
        elif line.startswith(b"#"):
            yield Skipped(offset)
        elif line == b".\\n":
            yield Found(at, "letters", "".join(lines), url="letter:" + address)
            lines = None
        elif lines is None:
            yield Refused(offset, "no_sender", line.decode().strip())
        else:
            lines.append(line.decode())
        offset += len(line)
"""
LETTER = (
    "From {}\nThe bees came through the winter, all eleven hives of them, and the willows by the canal are in bloom.\n"
    "We fed them syrup twice and counted mites on the boards. Come in May, when the first honey is spun, and bring "
    "your boots, as the meadow still stands under water up to the second fence.\n.\n"
)
SECOND = (
    "From bob\nThe ferry runs again, but only on market days, since the pilot has gone to his sister in the hills.\n"
    "I have mended the two long nets and sold the old engine to a farmer. Your boots I will bring, and a jar of the "
    "smoked eel, which keeps for weeks if nobody opens it before I have left.\n.\n"
)
LETTERS = "# of two\n" + LETTER.format("ann") + "nobody wrote this\n" + SECOND


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
    for cached in (plugins.entries, plugins.installed, registry.rules, formats.formats):
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
        ("raw_documents", {"schema", "code", "settings", "boilerplate"}),
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


# Formats


@pytest.fixture
def letters(install: Install) -> Path:
    """The folder of an installed package that reads `.letters`."""
    return install("post", "formats", "letters = post:read", source=FORMAT)


def inspected(path: Path) -> FileReport:
    return inspect_files([path], Settings()).files[0]


def details(path: Path) -> list[str]:
    """What is said of what could not be read."""
    return [one["detail"] for examples in inspected(path).examples.values() for one in examples]


def test_a_format_of_a_package_is_read_by_its_ending(tmp_path: Path, letters: Path) -> None:
    path = tmp_path / "may.letters"
    path.write_text(LETTERS)
    report = inspected(path)
    assert (report.format, report.documents, report.skipped) == ("letters", 2, {"": 1})
    assert report.rejects == {"no_sender": 1}


@pytest.mark.parametrize(("packed", "write"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_a_reader_of_a_package_is_given_what_was_compressed(
    tmp_path: Path, letters: Path, packed: str, write: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"may.letters.{packed}"
    path.write_bytes(write(LETTERS.encode()))
    assert inspected(path).documents == 2


def test_documents_of_a_package_name_its_format_and_their_place(tmp_path: Path, letters: Path) -> None:
    path = tmp_path / "may.letters"
    path.write_text(LETTERS)
    (batch,) = read_documents([CrawlFile(path, path.name)], "a", Settings())
    assert batch.documents.select("url", "format", "record_offset").rows() == [
        ("letter:ann", "letters", LETTERS.index("From ann")),
        ("letter:bob", "letters", LETTERS.index("From bob")),
    ]


def test_nothing_of_a_format_is_imported_before_a_file_of_it_is_read(tmp_path: Path, letters: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "short"}\n')
    inspected(tmp_path / "a.jsonl")
    assert "post" not in sys.modules


def test_a_reader_that_fails_costs_the_rest_of_its_file(tmp_path: Path, install: Install) -> None:
    failing = FORMAT.replace("lines = None\n        elif", "raise ValueError('no ink')\n        elif")
    install("post", "formats", "letters = post:read", source=failing)
    path = tmp_path / "may.letters"
    path.write_text(LETTERS)
    assert inspected(path).documents == 1
    assert details(path) == ["the reader of .letters in post failed: ValueError: no ink"]


def test_what_is_no_item_is_named(tmp_path: Path, install: Install) -> None:
    install("post", "formats", "letters = post:read", source="def read(file, settings):\n    yield 'a letter'\n")
    path = tmp_path / "may.letters"
    path.write_text(LETTERS)
    assert "it gave str, not Found, Refused or Skipped" in details(path)[0]


def test_a_file_of_a_package_without_a_record_is_empty(tmp_path: Path, letters: Path) -> None:
    path = tmp_path / "none.letters"
    path.write_text("")
    assert inspected(path).rejects == {"empty": 1}


def test_what_broke_within_a_compressed_file_of_a_package_is_told(tmp_path: Path, letters: Path) -> None:
    path = tmp_path / "may.letters.gz"
    path.write_bytes(gzip.compress(LETTERS.encode())[:-20])
    assert "truncated_stream" in inspected(path).rejects


def test_an_ending_that_no_package_reads_is_answered_with_the_nearest(tmp_path: Path, letters: Path) -> None:
    path = tmp_path / "may.leters"
    path.write_text(LETTERS)
    assert "by ending, did you mean letters? (known: letters)" in details(path)[0]


def test_two_packages_that_claim_one_ending_are_named(tmp_path: Path, letters: Path, install: Install) -> None:
    install("mail", "formats", "letters = mail:read", source=FORMAT)
    (tmp_path / "may.letters").write_text(LETTERS)
    with pytest.raises(UsageError, match="letters is claimed by mail and post; uninstall one of them"):
        inspected(tmp_path / "may.letters")


@pytest.mark.parametrize(
    ("ending", "said"),
    [("jsonl", "post claims jsonl, which is read here by its content"), (".Letters", "small letters and digits")],
)
def test_an_ending_that_cannot_be_claimed_is_named(tmp_path: Path, install: Install, ending: str, said: str) -> None:
    install("post", "formats", f"{ending} = post:read", source=FORMAT)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=said):
        inspected(tmp_path / "a.txt")


def test_a_new_format_makes_documents_stale(lake: Finished, letters: Path) -> None:
    assert lake.stale() == {"raw_documents": "format letters: new"}


def test_a_format_whose_reader_changed_makes_documents_stale(tmp_path: Path, letters: Path, install: Install) -> None:
    lake = Finished(tmp_path)
    assert lake.stale() == {}
    install("post", "formats", "letters = post:read", source=FORMAT + "\n# another\n")
    assert lake.stale() == {"raw_documents": "format letters: its file changed"}


def test_a_run_reads_a_format_of_a_package(tmp_path: Path, letters: Path) -> None:
    (tmp_path / "dumps" / "spring").mkdir(parents=True)
    (tmp_path / "dumps" / "spring" / "may.letters").write_text(LETTERS)
    run = "import sys; from persona_assets.cli.app import run_cli; sys.argv = ['persona-assets', 'run', '--asset', "
    run += "'raw_documents']; sys.exit(run_cli())"
    settings = {"PERSONA_LAKE": str(tmp_path / "lake"), "PERSONA_DUMPS": str(tmp_path / "dumps")}
    done = python(letters, run, **settings)
    assert done.returncode == 0, done.stderr
    rows = Lake(tmp_path / "lake").read(RAW_DOCUMENTS, "spring.0000")
    assert sorted(rows["url"]) == ["letter:ann", "letter:bob"]
