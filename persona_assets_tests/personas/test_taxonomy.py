from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.personas.taxonomy import choose, load_taxonomy, taxonomy

IDS = st.text(min_size=1, max_size=40)


def test_the_taxonomy_is_broad_and_reaches_the_people_whom_the_paper_names() -> None:
    relations = taxonomy()
    assert len(relations) >= 60
    assert len({relation.family for relation in relations}) >= 14
    low = {relation.slug for relation in relations if relation.visibility == "low"}
    assert {"young_child", "patient", "family_carer", "beggar_or_homeless_person", "cleaner", "prisoner"} <= low


def test_the_choice_is_the_same_on_every_machine() -> None:
    assert [relation.slug for relation in choose("per_1", 1, 4)] == [
        "housebound_listener",
        "founder_of_their_field",
        "business_partner",
        "newcomer",
    ]


@given(IDS, st.integers(min_value=1, max_value=6), st.integers(min_value=0, max_value=120))
@settings(max_examples=60, deadline=None)
def test_relations_do_not_repeat_and_families_are_spread(persona_id: str, hop: int, fanout: int) -> None:
    chosen = choose(persona_id, hop, fanout)
    families = {relation.family for relation in taxonomy()}
    assert chosen == choose(persona_id, hop, fanout)
    assert len(chosen) == min(fanout, len(taxonomy())) == len({relation.slug for relation in chosen})
    first_round = [relation.family for relation in chosen[: len(families)]]
    assert len(first_round) == len(set(first_round))


@given(IDS, st.integers(min_value=1, max_value=6), st.integers(min_value=2, max_value=8))
@settings(max_examples=100, deadline=None)
def test_two_or_more_relations_always_reach_low_visibility_people(persona_id: str, hop: int, fanout: int) -> None:
    assert choose(persona_id, hop, fanout)[0].visibility == "low"


def test_single_relations_reach_them_about_half_of_the_time() -> None:
    low = sum(choose(f"per_{index}", 2, 1)[0].visibility == "low" for index in range(1000))
    assert 430 < low < 570


def test_every_relation_comes_up_and_weights_tell() -> None:
    counts: dict[str, int] = {}
    for index in range(3000):
        for relation in choose(f"per_{index}", 1, 2):
            counts[relation.slug] = counts.get(relation.slug, 0) + 1
    assert set(counts) == {relation.slug for relation in taxonomy()}
    assert counts["young_child"] > 1.3 * counts["remote_villager"]


def test_another_hop_gives_another_choice() -> None:
    chosen = {tuple(relation.slug for relation in choose("per_1", hop, 3)) for hop in range(1, 7)}
    assert len(chosen) == 6


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{slug: aunt, visibility: dim, description: a sister of a parent}", "visibility"),
        ("{slug: aunt, visibility: low, description: a sister of a parent, extra: 1}", "extra"),
        ("{slug: aunt, visibility: low, description: a sister of a parent}", "low and of ordinary"),
    ],
)
def test_a_faulty_taxonomy_is_refused_by_name(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(f"families:\n  kin:\n    - {body}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_taxonomy(path)


def test_a_slug_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    entry = "    - {slug: aunt, visibility: low, description: a sister of a parent}\n"
    path.write_text(f"families:\n  kin:\n{entry}{entry}", encoding="utf-8")
    with pytest.raises(UsageError, match="aunt"):
        load_taxonomy(path)
