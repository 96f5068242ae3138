"""For each kind and language texts that keep to the constraint and texts that do not, written by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_assets.constraints.checkers import seen
from persona_assets.constraints.kinds import kinds

WITNESSES = yaml.safe_load(Path(__file__).with_name("witnesses.yaml").read_text(encoding="utf-8"))
CASES = [
    pytest.param(kind, language, told, text, kept, id=f"{kind}-{language}-{'keeps' if kept else 'breaks'}-{number}")
    for kind, languages in WITNESSES.items()
    for language, told in languages.items()
    for kept in (True, False)
    for number, text in enumerate(told["good" if kept else "bad"])
]


def test_every_kind_has_witnesses_in_each_of_its_languages() -> None:
    assert {kind: set(told) for kind, told in WITNESSES.items()} == {
        name: set(kind.languages) for name, kind in kinds().items()
    }


@pytest.mark.parametrize(("kind", "language", "told", "text", "kept"), CASES)
def test_a_fair_reader_agrees(kind: str, language: str, told: dict[str, Any], text: str, kept: bool) -> None:
    said = seen(kind, text, told.get("args", {}), language, told.get("request", ""))
    assert (said is None) == kept, said
    assert kept or (said and said[0].islower() and "\n" not in said.replace(text, ""))
