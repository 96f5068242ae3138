from hypothesis import given
from hypothesis import strategies as st

from persona_assets.ids import canonical_json, make_id

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(json_values, max_size=3), st.lists(json_values, max_size=3))
def test_ids_are_equal_exactly_when_the_parts_are(left: list[object], right: list[object]) -> None:
    same = canonical_json(left) == canonical_json(right)
    assert (make_id("doc", *left) == make_id("doc", *right)) == same


def test_parts_do_not_run_together() -> None:
    assert make_id("per", "ab", "c") != make_id("per", "a", "bc")


def test_an_id_is_its_prefix_and_128_bits_of_hex() -> None:
    assert make_id("smp", "x") == make_id("smp", "x")
    prefix, _, digits = make_id("smp", "x").partition("_")
    assert prefix == "smp"
    assert len(digits) == 32
    assert int(digits, 16) >= 0


def test_key_order_does_not_matter() -> None:
    assert make_id("call", {"a": 1, "b": 2}) == make_id("call", {"b": 2, "a": 1})
