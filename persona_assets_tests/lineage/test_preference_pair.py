"""The audit of a preference pair, from both answers down to the crawl."""

import pytest

from persona_assets.lineage import Status, audit
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.lineage.small_lake import SHARD, ScriptedEngine, Small, build
from persona_assets_tests.tasks.constrained import NAMES


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small lake with instructions, and all that is made of them."""
    small = build(tmp_path_factory.mktemp("paired"))
    engine = ScriptedEngine(small.settings)
    context = Context(small.lake, small.settings, engine, "run-2", keeper=LakeState(small.lake, small.settings))
    for name in ("instructions", *NAMES):
        step = datasets(small.settings)[name]
        if isinstance(step, TaskStep):
            run_task(context, step, SHARD)
        else:
            assert isinstance(step, DerivedStep)
            step.run(context, SHARD)
    return small


def test_a_pair_verifies_down_to_the_crawl_record(paired: Small) -> None:
    [pair_id, *_] = paired.lake.read(datasets(paired.settings)["preference_pairs"].table, SHARD)["sample_id"]
    found = audit(paired.lake, paired.settings, pair_id)
    assert {one.status for one in found.verifications} == {Status.OK}
    kinds = [node.kind for node in found.nodes()]
    # Pair, two verified answers, two answers, message, constraints and instruction, each once.
    assert kinds == ["crawl_record", "document", "persona", *["sample"] * 8]
    assert sum(one.name == "row_computes_again" for one in found.verifications) == 4
    assert sum(one.name == "row_parses_again" for one in found.verifications) == 5


def test_an_answer_without_a_pair_is_computed_again_as_set_aside(paired: Small) -> None:
    step = datasets(paired.settings)["preference_pairs"]
    [answer_id, *_] = paired.lake.rejects(step.table, SHARD).collect()["row_id"]
    found = audit(paired.lake, paired.settings, answer_id)
    assert {one.status for one in found.verifications} == {Status.OK}
