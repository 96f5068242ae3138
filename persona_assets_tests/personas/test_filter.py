from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from persona_assets.checks.gates import run_gates
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS, FILTERED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lake.vectors import VectorCache
from persona_assets.personas.filter import filter_personas, relatedness
from persona_assets.text.encoder import load_encoder
from persona_assets_tests.personas.scripted import content, context, from_persona, put_seeds, rejects, seed
from persona_assets_tests.rows import SHARD, document, draft, put

NURSE = "A night-shift nurse on a rural maternity ward who worries about staffing"
PATIENT = "A young mother on the ward who cannot sleep before her operation"
RADIO = "An amateur radio operator who repairs valve amplifiers"


def child(name: str, parent: str, text: str, **values: Any) -> dict[str, Any]:
    return seed(name, **{"parent_persona_id": f"per_{parent}", "document_id": "doc_n", "hop": 1, "text": text} | values)


def put_personas(lake: Lake, *children: dict[str, Any], seeds: tuple[dict[str, Any], ...] = ()) -> None:
    put_seeds(lake, seed("n", text=NURSE), *seeds)
    put(lake, EXPANDED_PERSONAS, *children)


def test_every_persona_is_in_exactly_one_place(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona)
    put(here.lake, RAW_DOCUMENTS, document("n"), document("j"))
    put_personas(
        here.lake,
        child("p", "n", PATIENT),
        child("r", "n", "I'm sorry, I cannot help with that."),
        seeds=(seed("j", text="A company that sells insurance"),),
    )
    report = filter_personas(here, SHARD)
    assert set(content(here.lake, FILTERED_PERSONAS)["persona_id"]) == {"per_n", "per_p"}
    assert rejects(here.lake, FILTERED_PERSONAS, ("row_id", "parent_id", "reason", "call_id")).rows() == [
        ("per_j", "doc_j", "not_a_person", "call_j"),
        ("per_r", "per_n", "refusal", "call_r"),
    ]
    assert (report.inputs, report.kept, dict(report.rejected)) == (4, 2, {"not_a_person": 1, "refusal": 1})
    gates = {
        gate.name: gate.passed
        for gate in run_gates(here.lake, draft(here.lake, FILTERED_PERSONAS, SHARD), here.settings)
    }
    assert gates["accounted"]
    assert gates["ids_unique"]
    assert gates["parents_exist"]


def test_columns_pass_through_unchanged_but_for_run_and_time(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona)
    put_personas(here.lake, child("p", "n", PATIENT))
    later = type(here)(here.lake, here.settings, here.engine, "another run")
    filter_personas(later, SHARD)
    given = pl.concat([content(here.lake, EXTRACTED_PERSONAS).drop("window"), content(here.lake, EXPANDED_PERSONAS)])
    assert content(here.lake, FILTERED_PERSONAS).equals(given.sort("persona_id"))
    assert set(here.lake.read(FILTERED_PERSONAS, SHARD)["run_id"]) == {"another run"}


def test_a_persona_below_the_semantic_floor_is_refused_and_names_its_parent(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona, min_relatedness=0.2)
    put_personas(here.lake, child("p", "n", PATIENT), child("r", "n", RADIO))
    report = filter_personas(here, SHARD)
    assert set(content(here.lake, FILTERED_PERSONAS)["persona_id"]) == {"per_n", "per_p"}
    ((row_id, reason, detail),) = rejects(here.lake, FILTERED_PERSONAS).rows()
    assert (row_id, reason) == ("per_r", "unrelated_to_parent")
    assert detail.startswith("cosine ")
    assert detail.endswith(" to per_n")
    assert report.extra == {"not_compared": 0}


def test_a_parent_of_a_later_hop_is_found(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona, min_relatedness=0.2)
    put_personas(here.lake, child("p", "n", PATIENT), child("r", "p", RADIO, hop=2))
    filter_personas(here, SHARD)
    assert rejects(here.lake, FILTERED_PERSONAS, ("row_id", "reason")).rows() == [("per_r", "unrelated_to_parent")]


def test_scripts_that_the_encoder_does_not_know_are_counted_and_kept(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona, min_relatedness=0.9)
    chinese = {"language": "zh"}
    nurse = seed("z", document_id="doc_z", text="一位夜班护士，担心乡村产科病房人手不足", **chinese)
    radio = child("y", "z", "业余无线电爱好者，擅长修理旧式放大器", document_id="doc_z", **chinese)
    put_personas(here.lake, radio, seeds=(nurse,))
    report = filter_personas(here, SHARD)
    assert set(content(here.lake, FILTERED_PERSONAS)["persona_id"]) == {"per_n", "per_y", "per_z"}
    assert report.extra == {"not_compared": 1}


def test_relatedness_compares_what_it_knows_and_leaves_the_rest_open(tmp_path: Path) -> None:
    night = "一位夜班护士，担心人手不足"
    related = pl.DataFrame(
        {
            "persona_id": ["a", "b", "c"],
            "shard": [SHARD] * 3,
            "text": [NURSE, night, PATIENT],
            "parent_persona_id": ["d", "e", "f"],
            "parent_text": [NURSE, night, RADIO],
        }
    )
    cosine = relatedness(related, VectorCache(Lake(tmp_path), load_encoder(), 0.2))
    assert cosine[0] == pytest.approx(1.0, abs=1e-3)
    assert np.isnan(cosine[1])
    assert cosine[2] < 0.3


def test_extracted_personas_alone_are_filtered_after_zero_hops(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona)
    put_personas(here.lake)
    report = filter_personas(here, SHARD)
    assert (report.inputs, report.kept) == (1, 1)


def test_a_second_run_gives_the_same_rows(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona)
    put_personas(here.lake, child("p", "n", PATIENT), child("r", "n", "A poet"))
    filter_personas(here, SHARD)
    before = content(here.lake, FILTERED_PERSONAS), rejects(here.lake, FILTERED_PERSONAS)
    filter_personas(here, SHARD)
    after = content(here.lake, FILTERED_PERSONAS), rejects(here.lake, FILTERED_PERSONAS)
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))


def test_missing_expanded_personas_are_a_clear_error_and_leave_nothing(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona)
    put_seeds(here.lake, "a")
    with pytest.raises(PersonaAssetsError, match="expanded_personas has no partition"):
        filter_personas(here, SHARD)
    assert not here.lake.exists(FILTERED_PERSONAS, SHARD)
