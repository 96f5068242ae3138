"""For every setting another value, and under which other settings a change of it shows in rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import SecretStr, ValidationError

from persona_assets.graph import Asset, assets
from persona_assets.settings import SAMPLING, Settings, shapes_of
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import holds_texts
from persona_assets.text.encoder import PACKAGED

SHAPING = [name for name in Settings.model_fields if shapes_of(name)]
OTHERS = [name for name in Settings.model_fields if not shapes_of(name)]
STEPS = {name: step for name, step in datasets(Settings()).items() if isinstance(step, TaskStep)}
TASKS = sorted(STEPS)
DATA_SETS = [name for name, step in datasets(Settings()).items() if isinstance(step, DataStep)]
MODED = [name for name in TASKS if STEPS[name].template.modes]
COUNTED = [name for name in TASKS if isinstance(STEPS[name].template.attempts, int) and not STEPS[name].template.group]
SINGLE = [name for name in TASKS if not STEPS[name].template.group]  # asked about single rows
SETTLED = [name for name in TASKS if STEPS[name].template.answered_by]  # by whom, the rows say
VIEWED = "persona_cards"  # the dataset of the view that all others select by which are about personas
SELECTING = [name for name in TASKS if name != VIEWED and {"persona_id", "persona_ids"} & set(STEPS[name].read.polars)]
ASKING = ("extracted_personas", "expanded_personas", *TASKS)


def _first_param(name: str) -> list[tuple[str, Any]]:
    return list(STEPS[name].template.params.items())[:1]


CHOOSING = {"pole_answers.sets": "big_five"}  # parameters that name something, each with another one that there is


def _other(name: str, value: Any) -> Any:
    """Another value of a parameter, of its type."""
    if name in CHOOSING:
        return CHOOSING[name]
    if isinstance(value, dict):
        return {key: ["another"] if isinstance(one, list) else 2 * one for key, one in value.items()}
    if isinstance(value, int):
        return not value if isinstance(value, bool) else 2 * value
    return type(value)("another")


@dataclass(frozen=True)
class Change:
    """One setting and its other value; `under` are the settings with which it shows."""

    name: str
    value: Any
    under: dict[str, Any] = field(default_factory=dict)


_OPENAI = {"engine": "openai", "model": "m"}
_NEAR = {"lexical_threshold": 0.1}  # near enough for any few texts of one engine
_JUDGED = {"judged": {"math_solutions": 1.0}, "compared": {"math_solutions": 1.0}}
# Pieces of what the offline engine answers, one for each task that is tried.
_ITEMS = (
    "A walkway 3 m wide must stay free along all four walls. How many square metres are left for the exhibits in the "
    "middle?",
    "One hole through all layers, away from every fold. How many holes does the sheet have when it is unfolded?",
    "Each fold doubles the layers, so after 6 folds the hole goes through 2 to the power of 6 layers.",
    "And the second is 17 dollars dearer. How many dollars does an accountant pay for the dearer one?",
)
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
    Change("targets", {name: 1 for name in SINGLE if name not in SETTLED}),
    Change("modes", dict.fromkeys(MODED, ("few_shot",))),
    Change("shares", {name: float(not STEPS[name].template.share) for name in SINGLE}),  # all or nothing, the other way
    Change("attempts", {name: 1 + int(STEPS[name].template.attempts) for name in COUNTED}),
    Change(
        "params",
        {f"{name}.{one}": _other(f"{name}.{one}", value) for name in TASKS for one, value in _first_param(name)},
    ),
    Change("min_characters", 400),
    Change("max_document_bytes", 1000),
    Change("wet_lines", False, under={"near_pages": 0.0}),
    Change("near_pages", 0.1),
    Change("columns", "text=body"),
    Change("languages", ("zh", "ru")),
    Change("min_language_confidence", 1.0),
    Change("quality", {"notice.share": 0.0}),
    Change("relations", ("read", "dislike")),
    Change("granularity", "coarse"),
    Change("personas_per_relation", 2),
    Change("document_tokens", 50),
    Change("windows", 3, {"document_tokens": 50}),
    Change("hops", 0),
    Change("fanout", (3,)),
    Change("relation_candidates", 1),
    Change("max_expanded_per_seed", 1, {"fanout": (2,)}),
    Change("min_novelty", 1.0, {"hops": 3, "fanout": (3,)}),
    Change("min_relatedness", 0.9),
    Change("lexical_threshold", 0.1),
    Change("semantic_threshold", 0.3),
    Change("semantic", False),
    Change("across_languages", True, {"semantic_threshold": 0.3}),
    Change("dedup_strategy", "paper", _NEAR),
    Change("minhash_recall", 0.01, {"dedup_strategy": "minhash", **_NEAR}),
    Change("encoder", "another", {"semantic_threshold": 0.3}),
    Change("held_out_share", 0.5),
    Change("max_problem_similarity", 0.0),
    Change("scene_prompts", 1),
    Change("max_scene_similarity", 0.0),
    Change("lines_judged", 0.5),
    Change("protective_share", 0.5),
    Change("character_loss", "all"),
    Change("types", ("INTP",)),
    Change("judged", {"math_solutions": 0.5}, _JUDGED),
    Change("compared", {"math_solutions": 0.5}, _JUDGED),
    Change("judge_votes", 1, _JUDGED),
    Change("judge_min_auc", 0.6, _JUDGED),
    Change("pair_ceiling", 0.5),
    Change("max_unknown_share", 1.0, {"min_relatedness": 0.95, "encoder": PACKAGED}),  # which does not know Chinese
)


def changes_of_settings(folder: Path) -> dict[str, Change]:
    """By name the other value of every setting that shapes rows; files that it names are written to `folder`."""
    models = folder / "models.yaml"
    given = dict.fromkeys(ASKING, "small")
    models.write_text(yaml.safe_dump({"models": {"small": dict(_OPENAI)}, "assets": given}), encoding="utf-8")
    asked = [name for name in TASKS if name not in SETTLED]
    systems = Change("systems", dict.fromkeys(asked, ("small",)), {"models": str(models)})
    held = folder / "benchmarks"
    held.mkdir(exist_ok=True)
    (held / "items.jsonl").write_text("".join(json.dumps({"question": one}) + "\n" for one in _ITEMS))
    views = folder / "views"
    views.mkdir(exist_ok=True)
    (views / "few.yaml").write_text(f"task: {VIEWED}\n", encoding="utf-8")
    selected = Change("selected", dict.fromkeys(SELECTING, "few"), {"views": str(views)})
    others = (Change("models", str(models)), systems, Change("benchmarks", str(held)), selected)
    return {change.name: change for change in (*_CHANGES, *others)}


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
    if default == ():
        yield ("math_problems",)
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int | float):
        yield from (default + 1, default / 2)
    elif isinstance(default, SecretStr | str):
        yield "another"
    elif isinstance(default, dict):
        yield {"seed": "another"}
    elif isinstance(default, tuple):
        yield default[:1]
    else:
        yield from (1_000_000, "another")


def declared(name: str, among: dict[str, Asset]) -> set[str]:
    """The assets whose rows a setting shapes, as it declares."""
    words = shapes_of(name)
    return {asset.name for asset in among.values() if asset.name in words or words & _words(name, asset)}


def _words(name: str, asset: Asset) -> set[str]:
    """The words that an asset is meant by, where a setting is declared by one."""
    if not asset.step:
        return set()
    template = asset.step.template
    settled, single = asset.name in SETTLED, asset.is_task and not template.group
    found = {"asking": _asks_by(name, asset), "tasks": single and not settled, "modes": template.modes}
    found |= {"attempts": asset.name in COUNTED}
    found |= {"selected": asset.name in SELECTING}
    found |= {"systems": asset.is_task and not settled, "judged": asset.name.endswith("_judged")}
    found |= {"compared": asset.name.endswith("_compared")}
    found |= {"benchmarks": asset.is_task and holds_texts(template)}
    found |= {"params": asset.is_task and template.params, "shares": single}
    return {word for word, meant in found.items() if meant}


def _asks_by(name: str, asset: Asset) -> bool:
    """Whether an asset asks a model, and leaves a setting of it to the settings."""
    if asset.name in SETTLED and name not in SAMPLING:
        return False
    return bool(asset.step) and name not in asset.step.template.sampling


def all_assets(**settings: Any) -> dict[str, Asset]:
    """The assets under these settings."""
    return assets(Settings(**settings))
