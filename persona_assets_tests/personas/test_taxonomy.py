from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.personas.taxonomy import Relation, Relations, choose, load_taxonomy, offer, taxonomy

IDS = st.text(min_size=1, max_size=40)


def test_the_taxonomy_is_broad_and_reaches_the_people_whom_the_paper_names() -> None:
    relations = taxonomy()
    assert len(relations) >= 60
    assert len({relation.family for relation in relations}) >= 14
    low = {relation.slug for relation in relations if relation.visibility == "low"}
    assert {"young_child", "patient", "family_carer", "beggar_or_homeless_person", "cleaner", "prisoner"} <= low


def test_the_choice_is_the_same_on_every_machine() -> None:
    assert [relation.slug for relation in choose("per_1", 1, 4)] == [
        "prisoner",
        "classmate",
        "collector",
        "lawmaker",
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


@given(st.text(min_size=1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))
def test_others_are_offered_once_each_and_are_as_visible_as_what_was_drawn(
    persona_id: str, hop: int, fanout: int, candidates: int
) -> None:
    offers = offer(persona_id, hop, fanout, candidates)
    assert [drawn for drawn, *_ in offers] == choose(persona_id, hop, fanout)
    flat = [relation.slug for one in offers for relation in one]
    assert len(set(flat)) == len(flat) == fanout * candidates
    assert all(len({relation.visibility for relation in one}) == 1 for one in offers)


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


def _share(relations: list[Relation], among: str = "") -> float:
    """Of the weight of relations of a visibility, or of all."""
    total = sum(relation.weight for relation in taxonomy() if not among or relation.visibility == among)
    return sum(relation.weight for relation in relations) / (total + sum(relation.weight for relation in relations))


def _added(visibility: Literal["low", "ordinary"], place: int) -> tuple[Relation, Relations]:
    """A new relation, of a family of its own, and all relations with it at a place of the file."""
    relations = list(taxonomy())
    words = "someone who stands in for them at sea"
    added = Relation(family="at_sea", slug="stand_in", description=words, visibility=visibility)
    return added, Relations([*relations[:place], added, *relations[place:]])


@pytest.mark.parametrize("place", [0, 40, 94])
def test_an_added_relation_changes_single_choices_in_its_share(place: int) -> None:
    added, more = _added("low", place)
    before = {f"per_{index}": choose(f"per_{index}", 1, 1) for index in range(8000)}
    after = {persona_id: more.choose(persona_id, 1, 1) for persona_id in before}
    changed = [persona_id for persona_id in before if before[persona_id] != after[persona_id]]
    assert all(after[persona_id] == [added] for persona_id in changed)
    assert len(changed) / len(before) == pytest.approx(0.5 * _share([added], "low"), rel=0.3)


def test_an_added_relation_changes_second_choices_in_its_share() -> None:
    added, more = _added("ordinary", 7)
    changed = 0
    for index in range(8000):
        before, after = choose(f"per_{index}", 1, 2), more.choose(f"per_{index}", 1, 2)
        assert before[0] == after[0]  # which is of low visibility
        assert before == after or after[1] == added
        changed += before != after
    # The family of the first choice is left out, which makes the share of all others a little greater.
    assert changed / 8000 == pytest.approx(_share([added]), rel=0.35)


@given(IDS, st.integers(min_value=1, max_value=6), st.integers(min_value=1, max_value=8), st.integers(0, 94))
@settings(max_examples=100, deadline=None)
def test_an_added_relation_that_is_not_drawn_changes_nothing(
    persona_id: str, hop: int, fanout: int, place: int
) -> None:
    added, more = _added("low", place)
    chosen = more.choose(persona_id, hop, fanout)
    assert added in chosen or chosen == choose(persona_id, hop, fanout)


def test_the_order_of_the_file_is_nothing() -> None:
    turned = Relations(taxonomy()[::-1])
    assert all(turned.choose(f"per_{index}", 2, 3) == choose(f"per_{index}", 2, 3) for index in range(200))


def test_single_choices_follow_the_weights() -> None:
    drawn = Counter(choose(f"per_{index}", 1, 1)[0].slug for index in range(20_000))
    for visibility in ("low", "ordinary"):
        of_it = [relation for relation in taxonomy() if relation.visibility == visibility]
        expected = 10_000 / sum(relation.weight for relation in of_it)
        squares = [(drawn[one.slug] - expected * one.weight) ** 2 / (expected * one.weight) for one in of_it]
        assert sum(squares) < 2 * len(of_it)  # chi-squared, far beyond chance


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
