import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup.survivors import METHODS, Graph, Hits, explain, greedy
from persona_assets.text.sets import Pairs


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes = draw(st.integers(0, 16))
    _, set_of = np.unique(draw(st.lists(st.integers(0, 10), min_size=nodes, max_size=nodes)), return_inverse=True)
    sets = int(set_of.max(initial=-1)) + 1
    return Graph(set_of.astype(np.int64), draw(pairs(sets)), draw(pairs(nodes)), draw(hits(nodes)))


def hits(nodes: int) -> st.SearchStrategy[Hits]:
    survivors = st.lists(st.sampled_from([0, 0, 0, -1, -2, -3]), min_size=nodes, max_size=nodes)
    methods = st.lists(st.sampled_from([0, 1, 2]), min_size=nodes, max_size=nodes)
    return (
        st.tuples(survivors, methods)
        .map(lambda drawn: Hits(*(np.array(side, np.int64) for side in (drawn[0], np.zeros(nodes), drawn[1]))))
        .map(lambda made: Hits(made.survivor, 0.95 - 0.01 * made.survivor, made.method))
    )


def pairs(count: int) -> st.SearchStrategy[Pairs]:
    possible = [(i, j) for j in range(count) for i in range(j)]
    chosen = st.lists(st.sampled_from(possible), unique=True, max_size=24) if possible else st.just([])
    return chosen.map(make_pairs)


def make_pairs(chosen: list[tuple[int, int]]) -> Pairs:
    left, right = (np.array([pair[side] for pair in chosen], dtype=np.int64) for side in (0, 1))
    return Pairs(left, right, 0.9 + 0.001 * (left + right))


def near(graph: Graph) -> dict[tuple[int, int], tuple[int, float]]:
    """By pair of nodes, earlier first: the place of the method that explains it, and the similarity."""
    found = {}
    for method, table in ((2, graph.semantic), (1, graph.lexical)):
        for i, j, value in zip(table.left.tolist(), table.right.tolist(), table.similarity.tolist(), strict=True):
            ends = (
                [(i, j)]
                if method == 2
                else [(a, b) for a in np.flatnonzero(graph.set_of == i) for b in np.flatnonzero(graph.set_of == j)]
            )
            found.update({(int(min(pair)), int(max(pair))): (method, value) for pair in ends})
    for j in range(len(graph)):
        found.update({(i, j): (0, 1.0) for i in range(j) if graph.set_of[i] == graph.set_of[j]})
    return found


def naive_greedy(graph: Graph) -> list[bool]:
    close, kept = near(graph), []
    for node in range(len(graph)):
        gone = graph.hits.survivor[node] < 0 or any(kept[i] and (i, node) in close for i in range(node))
        kept.append(not gone)
    return kept


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_rounds_keep_what_the_naive_greedy_keeps(graph: Graph) -> None:
    assert greedy(graph).tolist() == naive_greedy(graph)


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_each_removal_names_the_earliest_kept_node_by_the_first_method_that_has_one(graph: Graph) -> None:
    kept = greedy(graph)
    close = near(graph)
    removals = explain(graph, kept)
    assert removals.node.tolist() == np.flatnonzero(~kept).tolist()
    rows = zip(removals.node, removals.survivor, removals.similarity, removals.method, strict=True)
    for node, survivor, similarity, method in rows:
        options = [(close[i, node][0], i, close[i, node][1]) for i in range(node) if kept[i] and (i, node) in close]
        if graph.hits.survivor[node] < 0:
            options.append(
                tuple(side[node] for side in (graph.hits.method, graph.hits.survivor, graph.hits.similarity))
            )
        assert (method, survivor, similarity) == min(options)


def test_a_chain_loses_its_middle_only() -> None:
    graph = Graph(np.arange(3), make_pairs([(0, 1), (1, 2)]), Pairs.empty(), Hits.none(3))
    assert greedy(graph).tolist() == [True, False, True]


def test_a_node_near_an_earlier_survivor_goes_and_takes_none_with_it() -> None:
    hits = Hits(np.array([-1, 0]), np.array([0.9, 1.0]), np.array([1, 0]))
    assert greedy(Graph(np.arange(2), make_pairs([(0, 1)]), Pairs.empty(), hits)).tolist() == [False, True]


def test_the_better_hit_is_exact_before_lexical_and_then_the_earlier() -> None:
    one = Hits(np.array([0, -1, -2, -1]), np.array([1.0, 0.9, 0.91, 0.92]), np.array([0, 1, 1, 1]))
    other = Hits(np.array([-3, -2, -1, 0]), np.array([0.93, 1.0, 0.94, 1.0]), np.array([2, 0, 1, 0]))
    for best in (one.better(other), other.better(one)):
        assert best.survivor.tolist() == [-3, -2, -2, -1]
        assert best.similarity.tolist() == [0.93, 1.0, 0.91, 0.92]
        assert best.method.tolist() == [2, 0, 1, 1]


def test_a_long_chain_is_decided() -> None:
    nodes = 2001
    graph = Graph(np.arange(nodes), Pairs.empty(), make_pairs([(i, i + 1) for i in range(nodes - 1)]), Hits.none(nodes))
    assert greedy(graph).tolist() == [node % 2 == 0 for node in range(nodes)]


def test_exact_is_named_before_lexical_before_semantic() -> None:
    semantic = make_pairs([(0, 2), (0, 3), (1, 3), (0, 4)])
    graph = Graph(np.array([0, 1, 0, 2, 3]), make_pairs([(0, 2)]), semantic, Hits.none(5))
    removals = explain(graph, greedy(graph))
    assert dict(zip(removals.node.tolist(), [METHODS[place] for place in removals.method], strict=True)) == {
        2: "exact",
        3: "lexical",
        4: "semantic",
    }
