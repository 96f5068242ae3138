from hypothesis import given
from hypothesis import strategies as st

from persona_assets.draws import lots, portions

IDS = st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=50)


@given(IDS, st.integers(0, 2**31), st.randoms())
def test_a_lot_follows_from_seed_and_id_alone(ids: list[str], seed: int, chance: object) -> None:
    known = dict(zip(ids, lots(ids, seed), strict=True))
    chance.shuffle(other := [*ids, ""])  # type: ignore[attr-defined]
    assert {one: lot for one, lot in zip(other, lots(other, seed), strict=True) if one in known} == known
    assert set(lots(ids, seed + 1)).isdisjoint(known.values())


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9), st.integers(0, 10_000))
def test_portions_add_up_and_are_off_by_less_than_one(weights: list[float], size: int) -> None:
    shares = {str(at): weight / sum(weights) for at, weight in enumerate(weights)}
    found = portions(shares, size)
    assert list(found) == list(shares)
    assert sum(found.values()) == size
    assert all(abs(found[name] - share * size) <= 1 for name, share in shares.items())
