"""BERT-like sentence encoders as OpenVINO graphs, built from the files of a sentence-transformers folder.

Built, not converted: no torch is loaded, which takes seconds, and no trace can go wrong. The texts of a batch have one
length, so the graph knows no padding and no attention mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]

# By model type, the number of the first token's position: RoBERTa's leave room for a padding id.
FIRST_POSITION = {"bert": 0, "roberta": 2, "xlm-roberta": 2, "camembert": 2}
_PADDING = 1  # the padding id that RoBERTa's first position presumes
_LEAST_NORM = 1e-12  # what torch.nn.functional.normalize divides by at least
_HARMLESS = {"max_seq_length", "do_lower_case"}  # settings of a Transformer module that are followed here
_DEFAULTS = {
    "transformer_task": "feature-extraction",
    "module_output_name": "token_embeddings",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
}


class UnsupportedModel(Exception):
    """Why a model is left to sentence-transformers."""


@dataclass(frozen=True)
class Shape:
    """What the graph of a model depends on besides its weights."""

    layers: int
    heads: int
    epsilon: float
    first_position: int
    longest: int  # tokens that a text is cut to, with its special ones


def read_shape(folder: Path) -> Shape:
    """What kind of model the folder holds.

    Raises:
        UnsupportedModel: not a BERT-like transformer, then the mean of its tokens, then their norm or nothing.
    """
    modules = _json(folder / "modules.json")
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or modules[0]["path"]:
        raise UnsupportedModel(f"its modules are {', '.join(kinds)}")
    pooling = _json(folder / modules[1]["path"] / "config.json")
    modes = {key.removeprefix("pooling_mode_") for key, value in pooling.items() if value is True} - {"include_prompt"}
    if pooling.get("pooling_mode", "mean") != "mean" or not modes <= {"mean_tokens"}:
        raise UnsupportedModel("it does not pool by the mean")
    if _json(folder / "config_sentence_transformers.json", {}).get("default_prompt_name"):
        raise UnsupportedModel("it puts a prompt before every text")
    transformer = _json(folder / "sentence_bert_config.json", {})
    others = {key for key in transformer if key not in _HARMLESS and transformer[key] != _DEFAULTS.get(key)}
    if others or transformer.get("do_lower_case"):
        raise UnsupportedModel(f"its transformer has settings of its own: {', '.join(sorted(others)) or 'lower case'}")
    return _shape(_json(folder / "config.json"), transformer, _json(folder / "tokenizer_config.json", {}))


def _shape(config: Mapping[str, Any], transformer: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> Shape:
    kind = config.get("model_type")
    expected = {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}
    if kind not in FIRST_POSITION or any(config.get(key, value) != value for key, value in expected.items()):
        raise UnsupportedModel(f"its transformer is of the kind {kind}, or one with settings of its own")
    first = FIRST_POSITION[kind]
    if first and config.get("pad_token_id", _PADDING) != _PADDING:
        raise UnsupportedModel("its padding id is unusual")
    places = int(config["max_position_embeddings"])
    longest = transformer.get("max_seq_length") or min(tokenizer.get("model_max_length", places), places)
    if longest > places - first:
        raise UnsupportedModel(f"it has no positions for its {longest} tokens")
    return Shape(
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        first_position=first,
        longest=int(longest),
    )


def _json(file: Path, default: Any = None) -> Any:  # noqa: ANN401 - whatever the file holds
    if file.is_file():
        return orjson.loads(file.read_bytes())
    if default is None:
        raise UnsupportedModel(f"it has no {file.name}")
    return default


def read_weights(folder: Path) -> Weights:
    """The transformer's weights by their name in a bare BERT.

    Raises:
        UnsupportedModel: they are not in one safetensors file, or not float32.
    """
    from safetensors.numpy import load_file

    file = folder / "model.safetensors"
    if not file.is_file():
        raise UnsupportedModel("it has no model.safetensors")
    weights = load_file(file)
    if any(array.dtype != np.float32 for name, array in weights.items() if name.endswith("weight")):
        raise UnsupportedModel("its weights are not float32")
    prefix = next((name.partition("embeddings.")[0] for name in weights if "embeddings.word_embeddings" in name), "")
    return {name.removeprefix(prefix): array for name, array in weights.items()}


def build(shape: Shape, weights: Weights) -> Any:  # noqa: ANN401 - openvino.Model, which is imported late
    """The graph from token ids, shape (texts, tokens), int32, to unit vectors, shape (texts, dimension), float32.

    Raises:
        UnsupportedModel: a weight is missing.
    """
    import openvino as ov

    try:
        return _Graph(ov, shape, weights).model()
    except KeyError as missing:
        raise UnsupportedModel(f"it has no weight {missing}") from missing


class _Graph:
    """The layers, in the order and with the names of the published BERT."""

    def __init__(self, ov: Any, shape: Shape, weights: Weights) -> None:  # noqa: ANN401 - the module openvino
        self.ov, self.ops, self.shape, self.weights = ov, ov.opset15, shape, weights

    def model(self) -> Any:  # noqa: ANN401 - graph nodes have no types worth naming
        ops = self.ops
        ids = ops.parameter([-1, -1], np.int32, name="ids")
        x = self._norm(self._embed(ids), "embeddings.LayerNorm")
        for layer in range(self.shape.layers):
            x = self._layer(x, f"encoder.layer.{layer}")
        mean = ops.reduce_mean(x, self._ints(1), keep_dims=False)
        norm = ops.maximum(ops.reduce_l2(mean, self._ints(1), keep_dims=True), np.float32(_LEAST_NORM))
        return self.ov.Model([ops.divide(mean, norm)], [ids], "sentence_encoder")

    def _embed(self, ids: Any) -> Any:  # noqa: ANN401
        ops, first = self.ops, self.shape.first_position
        words = ops.gather(self._weight("embeddings.word_embeddings.weight"), ids, self._ints(0))
        kinds = self.weights["embeddings.token_type_embeddings.weight"][0]  # every text is a first sentence
        places = self.weights["embeddings.position_embeddings.weight"][first : first + self.shape.longest] + kinds
        length = ops.gather(ops.shape_of(ids, "i32"), self._ints([1]), self._ints(0))
        return ops.add(
            words, ops.slice(ops.constant(places), self._ints([0]), length, self._ints([1]), self._ints([0]))
        )

    def _layer(self, x: Any, name: str) -> Any:  # noqa: ANN401
        ops, inner = self.ops, f"{name}.attention"
        query, key, value = (self._heads(self._linear(x, f"{inner}.self.{part}")) for part in ("query", "key", "value"))
        seen = ops.transpose(ops.scaled_dot_product_attention(query, key, value), self._ints([0, 2, 1, 3]))
        seen = self._linear(ops.reshape(seen, self._ints([0, 0, -1]), special_zero=True), f"{inner}.output.dense")
        x = self._norm(ops.add(seen, x), f"{inner}.output.LayerNorm")
        wide = ops.gelu(self._linear(x, f"{name}.intermediate.dense"), "erf")
        return self._norm(ops.add(self._linear(wide, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")

    def _heads(self, x: Any) -> Any:  # noqa: ANN401
        width = self.weights["embeddings.word_embeddings.weight"].shape[1] // self.shape.heads
        split = self.ops.reshape(x, self._ints([0, 0, self.shape.heads, width]), special_zero=True)
        return self.ops.transpose(split, self._ints([0, 2, 1, 3]))

    def _linear(self, x: Any, name: str) -> Any:  # noqa: ANN401
        product = self.ops.matmul(x, self._weight(f"{name}.weight"), False, True)
        return self.ops.add(product, self._weight(f"{name}.bias"))

    def _norm(self, x: Any, name: str) -> Any:  # noqa: ANN401
        scaled = self.ops.mvn(x, self._ints([-1]), True, self.shape.epsilon, "inside_sqrt")
        scaled = self.ops.multiply(scaled, self._weight(f"{name}.weight"))
        return self.ops.add(scaled, self._weight(f"{name}.bias"))

    def _weight(self, name: str) -> Any:  # noqa: ANN401
        return self.ops.constant(self.weights[name])

    def _ints(self, values: int | list[int]) -> Any:  # noqa: ANN401
        return self.ops.constant(np.array(values, dtype=np.int32))
