"""The audit of personas that were asked of parts of a document."""

import json
from collections.abc import Iterable, Iterator

from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.lineage import Status, audit
from persona_assets.personas.extract import extract_personas
from persona_assets.state import LakeState
from persona_assets.steps.runner import Context
from persona_assets_tests.lineage.small_lake import SHARD, Small

PROVED = ("id_recomputes", "row_parses_again", "prompt_renders", "call_key_recomputes")


class Declines(OfflineEngine):
    """Names nobody for parts that speak of bread."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest: list[Request] = []
        for request in requests:
            if "rye" in request.messages[-1]["content"]:
                answer = json.dumps({"nobody": "a recipe", "personas": []})
                results: list[Result] = [Completion(request.call_id, answer, "stop", 1, 1, 0.0)]
                yield results
            else:
                rest.append(request)
        yield from super().stream(rest)


def test_rows_and_rejects_of_parts_are_audited(small: Small) -> None:
    settings = small.settings.model_copy(update={"document_tokens": 50, "windows": 3})
    keeper = LakeState(small.lake, settings)
    extract_personas(Context(small.lake, settings, Declines(settings), "run-2", keeper=keeper), SHARD)
    rows = small.lake.read(EXTRACTED_PERSONAS, SHARD)
    assert rows["window"].max() > 0  # type: ignore[operator]
    for row in rows["persona_id"]:
        found = {one.name: one.status for one in audit(small.lake, settings, row).root.all_verifications()}
        assert {name: found[name] for name in PROVED} == dict.fromkeys(PROVED, Status.OK)
    rejects = small.lake.rejects(EXTRACTED_PERSONAS, SHARD).collect()
    named = rejects.filter(rejects["reason"].is_in(["nobody", "no_persona"]))
    assert "nobody" in named["reason"].to_list()
    for row in named["row_id"]:
        assert audit(small.lake, settings, row).failures == []
