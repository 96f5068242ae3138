"""Who answers a task side by side, as the setting `systems` says: models of a file, or of a recipe of this lake."""

from collections.abc import Callable, Iterator
from typing import Any

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.lake import Table
from persona_assets.lake.format import open_lake
from persona_assets.settings import Settings, model_table

OF_RECIPE = "recipe:"  # before the partition of a recipe: what it started from, and its model of each seed
MODELS = "fine_tuned_model"  # the asset that holds them


def systems_of(settings: Settings, task: str, trained: Callable[[], Table]) -> list[dict[str, Any]]:
    """The models that answer a task, each with its name as the id; `trained` gives the table of trained models.

    Raises:
        UsageError: PERSONA_MODELS has no such model, or the lake none of such a recipe.
    """
    known = model_table(settings.models).models if settings.models else {}
    found: list[dict[str, Any]] = []
    for name in settings.systems[task]:
        if name.startswith(OF_RECIPE):
            found += _of_recipe(settings, name.removeprefix(OF_RECIPE), trained(), f"PERSONA_SYSTEMS: {task}: {name}")
        elif name in known:
            found.append({"id": name, **known[name]})
        else:
            said = f"no model {name} in PERSONA_MODELS; {did_you_mean(name, known)}"
            raise UsageError(f"PERSONA_SYSTEMS: {task}: {said}")
    return found


def _of_recipe(settings: Settings, key: str, table: Table, where: str) -> Iterator[dict[str, Any]]:
    """Base and models of a recipe: `<key>:base`, `<key>:0`, ..."""
    lake = open_lake(settings.lake)
    if key not in (known := lake.keys(table)):
        train = f"PERSONA_DATASETS={MODELS} PERSONA_RECIPES={key} persona-assets run"
        raise UsageError(f"{where}: the lake has no model of this recipe ({did_you_mean(key, known)}): {train}")
    rows = lake.read(table, key).sort("seed").to_dicts()
    yield {"id": f"{key}:base", "engine": "transformers", "model": rows[0]["base"]}
    for row in rows:
        by = {"engine": "transformers", "model": row["model"], "model_revision": row["revision"]}
        yield {"id": f"{key}:{row['seed']}", **by}
