"""Different models for different steps."""

from pathlib import Path

import pytest

from persona_assets.engines.offline import OfflineEngine
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.engines.select import Engines
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context, StepRunner
from persona_assets.tasks.load import load_tasks
from persona_assets_tests.engines.server import serve
from persona_assets_tests.engines.tiny import SHARD, TinyStep, reader, run_step

FILE = """
models:
  small: {{engine: openai, model: small-7b, model_revision: r1, base_url: "{small}", price_in: 1, price_out: 2}}
  large:
    engine: openai
    model: large-70b
    base_url: "{large}"
    api_key_env: LARGE_KEY
    temperature: 0.2
assets:
  extracted_personas: small
  math_problems: large
"""


def models(tmp_path: Path, small: str = "http://127.0.0.1:1/v1", large: str = "http://127.0.0.1:2/v1") -> str:
    path = tmp_path / "models.yaml"
    path.write_text(FILE.format(small=small, large=large))
    return str(path)


def test_each_step_asks_the_model_that_the_file_names(lake: Lake, tmp_path: Path) -> None:
    with serve(reader) as server:
        settings = Settings(models=models(tmp_path, small=server.url), model="other")
        report = run_step(Context(lake, settings, Engines(lake), "run"), 3)
    assert [body["model"] for body in server.bodies] == ["small-7b"] * 3
    call = Context(lake, settings, Engines(lake), "run").ledger.scan().collect().row(0, named=True)
    assert (call["model"], call["model_revision"]) == ("small-7b", "r1")
    assert report.cost == pytest.approx(3 * (11 * 1 + 7 * 2) / 1e6)
    assert lake.read(EXTRACTED_PERSONAS, SHARD)["model"].unique().to_list() == ["small-7b"]


def test_another_model_asks_anew_and_the_first_ones_answers_stay(lake: Lake, tmp_path: Path) -> None:
    with serve(reader) as server:
        base = Settings(engine="openai", model="first", base_url=server.url)
        for settings in (base, base.model_copy(update={"model": "second"}), base):
            run_step(Context(lake, settings, Engines(lake), "run"), 3)
    assert len(server.bodies) == 6


def test_a_step_that_the_file_does_not_name_has_the_settings_of_the_environment(tmp_path: Path) -> None:
    settings = Settings(models=models(tmp_path), model="other")
    assert settings.for_asset("logic_problems").model == "other"


def test_a_key_comes_from_the_variable_that_the_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LARGE_KEY", "a-secret")
    settings = Settings(models=models(tmp_path), temperature=0.9).for_asset("math_problems")
    assert (settings.api_key.get_secret_value(), settings.temperature) == ("a-secret", 0.2)
    assert "a-secret" not in repr(settings)


def test_what_only_names_a_model_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the code location loads, and `status` tells, where the key is not set."""
    monkeypatch.delenv("LARGE_KEY", raising=False)
    file = tmp_path / "models.yaml"
    file.write_text(
        "models: {large: {engine: openai, model: big, api_key_env: LARGE_KEY}}\nassets: {math_problems: large}\n"
    )
    settings = Settings(models=str(file))
    assert settings.for_asset("math_problems", with_key=False).model == "big"
    with pytest.raises(UsageError, match="LARGE_KEY"):
        settings.for_asset("math_problems")


def test_one_engine_serves_all_steps_of_one_model(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LARGE_KEY", "a-secret")
    settings, engines = Settings(models=models(tmp_path)), Engines(lake)
    small = engines.of(settings.for_asset("extracted_personas"))
    assert small is engines.of(settings.for_asset("extracted_personas"))
    assert isinstance(small, OpenAIEngine)
    assert engines.of(settings.for_asset("math_problems")) is not small
    assert isinstance(engines.of(settings.for_asset("logic_problems")), OfflineEngine)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("price_in", "prise_in", "model small: unknown key prise_in; did you mean price_in?"),
        ("temperature: 0.2", "temperature: hot", r"model large: temperature: .*'hot'"),
        ("api_key_env: LARGE_KEY", "api_key: abc", "no key belongs into a file"),
        ("math_problems: large", "math_problems: huge", r"asset math_problems: no model huge \(known: large, small\)"),
        ("math_problems: large", "maths: large", r"asset maths is unknown \(known: .*math_problems"),
        ("models:", "model:", "models"),
        ("assets:", "assets: [", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    monkeypatch.setenv("LARGE_KEY", "a-secret")
    path = models(tmp_path)
    Path(path).write_text(Path(path).read_text().replace(old, new))
    with pytest.raises(UsageError, match=rf"models\.yaml.*{said}"):
        settings = Settings(models=path)
        load_tasks(settings)
        settings.for_asset("math_problems")


def test_a_variable_that_is_not_set_and_a_file_that_is_not_there_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="LARGE_KEY, named by api_key_env, is not set"):
        Settings(models=models(tmp_path)).for_asset("math_problems")
    with pytest.raises(UsageError, match=r"PERSONA_MODELS: .*not a file"):
        Settings(models=str(tmp_path / "none.yaml")).for_asset("math_problems")


def test_the_steps_runner_takes_sampling_from_its_model(tmp_path: Path, lake: Lake) -> None:
    text = FILE.format(small="http://127.0.0.1:1/v1", large="x").replace("price_in: 1", "temperature: 0.1")
    (tmp_path / "models.yaml").write_text(text)
    settings = Settings(models=str(tmp_path / "models.yaml"))
    runner = StepRunner(TinyStep(), Context(lake, settings, Engines(lake), "run"), SHARD)
    assert runner.sampling.temperature == 0.1


def test_headers_and_query_of_one_server_are_not_sent_to_another(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(
        "models:\n  one: {base_url: 'http://one.example/v1'}\n"
        "  two: {base_url: 'http://two.example/v1', headers: {api-key: '{api_key}'}, query: {api-version: '1'}}\n"
        "assets: {extracted_personas: one, expanded_personas: two}\n"
    )
    everyone = Settings(engine="openai", models=str(file), headers={"X-Key": "secret"}, query={"key": "secret"})
    one, two = everyone.for_asset("extracted_personas"), everyone.for_asset("expanded_personas")
    assert (one.headers, one.query) == ({}, {})
    assert (two.headers, two.query) == ({"api-key": "{api_key}"}, {"api-version": "1"})
