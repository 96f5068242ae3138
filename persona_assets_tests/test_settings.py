import pytest

from persona_assets.errors import UsageError
from persona_assets.settings import load_settings


def test_an_unknown_variable_names_the_nearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_LAEK", "x")
    with pytest.raises(UsageError, match=r"PERSONA_LAEK; did you mean PERSONA_LAKE\?.*PERSONA_DUMPS"):
        load_settings()


def test_an_ill_typed_value_names_the_variable_and_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_HOPS", "seven")
    with pytest.raises(UsageError, match=r"PERSONA_HOPS: .*'seven'"):
        load_settings()


def test_more_than_six_hops_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_HOPS", "7")
    with pytest.raises(UsageError, match="PERSONA_HOPS"):
        load_settings()


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_RELATIONS", "read, dislike")
    monkeypatch.setenv("PERSONA_FANOUT", "3,2,1")
    settings = load_settings()
    assert settings.relations == ("read", "dislike")
    assert settings.fanout == (3, 2, 1)


def test_an_unknown_relation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_RELATIONS", "read,hug")
    with pytest.raises(UsageError, match="PERSONA_RELATIONS"):
        load_settings()


def test_the_key_is_not_shown_by_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_API_KEY", "sk-very-secret")
    assert "very-secret" not in repr(load_settings())


def test_a_malformed_column_map_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_COLUMNS", "text")
    with pytest.raises(UsageError, match="text=body"):
        _ = load_settings().column_map


def test_a_column_map_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_COLUMNS", "text=body, url=meta.link")
    assert load_settings().column_map == {"text": "body", "url": "meta.link"}
