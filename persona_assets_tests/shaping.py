"""For every setting another value, and under which other settings a change of it shows in rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import SecretStr, ValidationError

from persona_assets.graph import Asset, assets
from persona_assets.settings import Settings, shapes_of
from persona_assets.tasks.load import FILES
from persona_assets.text.encoder import PACKAGED

SHAPING = [name for name in Settings.model_fields if shapes_of(name)]
OTHERS = [name for name in Settings.model_fields if not shapes_of(name)]
TASKS = sorted(path.stem for path in FILES.glob("*.yaml"))
ASKING = ("extracted_personas", "expanded_personas", *TASKS)


@dataclass(frozen=True)
class Change:
    """One setting and its other value; `under` are the settings with which it shows."""

    name: str
    value: Any
    under: dict[str, Any] = field(default_factory=dict)


_OPENAI = {"engine": "openai", "model": "m"}
_NEAR = {"lexical_threshold": 0.1}  # near enough for any few texts of one engine
_CHANGES = (
    Change("engine", "openai", {"model": "m"}),
    Change("model", "another", _OPENAI),
    Change("model_revision", "another", _OPENAI),
    Change("temperature", 0.1),
    Change("top_p", 0.5),
    Change("max_tokens", 1000),
    Change("seed", 1),
    Change("extra_body", {"top_k": 20}, _OPENAI),
    Change("drop_fields", ("temperature",), _OPENAI),
    Change("targets", dict.fromkeys(TASKS, 1)),
    Change("min_characters", 400),
    Change("max_document_bytes", 1000),
    Change("columns", "text=body"),
    Change("languages", ("zh", "ru")),
    Change("relations", ("read", "dislike")),
    Change("granularity", "coarse"),
    Change("personas_per_relation", 2),
    Change("document_tokens", 50),
    Change("windows", 3, {"document_tokens": 50}),
    Change("hops", 0),
    Change("fanout", (3,)),
    Change("relation_candidates", 1),
    Change("max_expanded_per_seed", 1, {"fanout": (2,)}),
    Change("min_relatedness", 0.9),
    Change("lexical_threshold", 0.1),
    Change("semantic_threshold", 0.3),
    Change("semantic", False),
    Change("across_languages", True, {"semantic_threshold": 0.3}),
    Change("dedup_strategy", "paper", _NEAR),
    Change("minhash_recall", 0.01, {"dedup_strategy": "minhash", **_NEAR}),
    Change("encoder", "another", {"semantic_threshold": 0.3}),
    Change("max_unknown_share", 1.0, {"min_relatedness": 0.95, "encoder": PACKAGED}),  # which does not know Chinese
)


def changes_of_settings(folder: Path) -> dict[str, Change]:
    """By name the other value of every setting that shapes rows; files that it names are written to `folder`."""
    models = folder / "models.yaml"
    given = dict.fromkeys(ASKING, "small")
    models.write_text(yaml.safe_dump({"models": {"small": dict(_OPENAI)}, "assets": given}), encoding="utf-8")
    return {change.name: change for change in (*_CHANGES, Change("models", str(models)))}


def another(name: str) -> Any:
    """Another valid value of a setting, large where it is a limit that is not set."""
    declared_field = Settings.model_fields[name]
    default = declared_field.get_default(call_default_factory=True)
    choices = get_args(declared_field.annotation) if get_origin(declared_field.annotation) is Literal else ()
    for value in (*choices, *_candidates(default)):
        try:
            changed = getattr(Settings(**{name: value}), name)
        except ValidationError:
            continue
        if changed != default:
            return value
    raise AssertionError(f"no other value for {name}")


def _candidates(default: Any) -> Iterator[Any]:
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int | float):
        yield from (default + 1, default / 2)
    elif isinstance(default, SecretStr | str):
        yield "another"
    elif isinstance(default, dict):
        yield {"seed": "another"}
    else:
        yield from (1_000_000, "another")


def declared(name: str, among: dict[str, Asset]) -> set[str]:
    """The assets whose rows a setting shapes, as it declares."""
    words = shapes_of(name)
    return {
        asset.name
        for asset in among.values()
        if asset.name in words or ("asking" in words and asset.step) or ("tasks" in words and asset.is_task)
    }


def all_assets(**settings: Any) -> dict[str, Asset]:
    """The assets under these settings."""
    return assets(Settings(**settings))
