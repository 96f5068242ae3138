"""What the UI shows of columns that a model may leave open."""

import json
from typing import Any

from persona_assets.defs.metadata import partition_metadata
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.making import Made
from persona_assets.settings import Settings
from persona_assets_tests.rows import SHARD
from persona_assets_tests.tasks.own import Run, people
from persona_assets_tests.tasks.solving import bundled
from persona_assets_tests.tasks.test_attributes import FORM


def shown(lake: Lake) -> dict[str, Any]:
    """The shares that are shown of a partition of attributes."""
    asset = assets(Settings())["persona_attributes"]
    metadata = partition_metadata(lake, asset, Made(SHARD, lake.require(asset.table, SHARD), None))
    return {name: value for name, value in metadata.items() if name.startswith("unknown ")}


def test_the_share_of_rows_that_a_column_is_unknown_in_is_a_number(lake: Lake) -> None:
    people(lake, "a", "b", "c", "d")
    regions = iter(["oceania", "unknown", "unknown", "unknown"])
    Run(lake, bundled("persona_attributes"), lambda _: json.dumps(FORM | {"region": next(regions), "mbti": "unknown"}))
    found = shown(lake)
    assert found["unknown region"] == 0.75
    assert found["unknown mbti"] == 1.0
    assert found["unknown field"] == 0.0
    assert len(found) == len(FORM)


def test_a_partition_without_rows_has_no_share(lake: Lake) -> None:
    people(lake, "a")
    Run(lake, bundled("persona_attributes"), lambda _: "no answer at all")
    assert shown(lake) == {}
