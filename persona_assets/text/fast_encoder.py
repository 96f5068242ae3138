"""Sentence encoding on a CPU through OpenVINO in fp32, more than twice as fast as sentence-transformers.

Texts of one length make a batch: nothing is padded, and a vector depends on its own text but for the order of sums.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_assets.text.bert import UnsupportedModel, build, read_shape, read_weights

BATCH_TOKENS = 512  # tokens of a batch: activations fit a core's cache; larger ones are not faster
SLICE = 16_384  # texts tokenised and sorted at once: bounds what is held, and keeps batches full
REPORT = 512  # texts between two calls of `progress`: about a second's work on two cores
_SETTINGS = {
    # Processors with bf16 or AMX units would otherwise compute in half precision without a word.
    "INFERENCE_PRECISION_HINT": "f32",
    "PERFORMANCE_HINT": "THROUGHPUT",  # one stream per core: a busy neighbour slows one core, not every step
    "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
}

Vectors = NDArray[np.float32]
Tokens = list[NDArray[np.int32]]
Tokenise = Callable[[list[str]], Tokens]
_NO_ROWS = np.zeros(0, dtype=np.int64)


class OpenVINOUnavailable(Exception):
    """Why OpenVINO cannot be used on this machine, though the model is of a kind that it knows."""


class GraphEncoder:
    """A graph from token ids, (texts, tokens) int32, to unit vectors; `encode` may be called from several threads."""

    def __init__(self, tokenise: Tokenise, build_graph: Callable[[], Any]) -> None:
        """Compile the graph that `build_graph` gives, once openvino can be imported.

        Raises:
            OpenVINOUnavailable: it cannot be imported, or refuses the graph.
        """
        self._tokenise = tokenise
        ov = _openvino()
        try:
            self._compiled = ov.Core().compile_model(build_graph(), "CPU", _SETTINGS)
        except RuntimeError as error:  # the one type of error that OpenVINO has
            reason = str(error).strip().rpartition("\n")[2]
            raise OpenVINOUnavailable(f"OpenVINO refuses the graph: {reason}") from error
        self._streams = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.dimension = int(self._compiled.output(0).get_partial_shape()[1].get_length())

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Vectors:
        """L2-normalised vectors of shape (len(texts), dimension), float32.

        `progress` is given the number of texts done since it was last called.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            tokens = self._tokenise(list(part))
            self._run(tokens, vectors[start : start + len(part)], progress or (lambda texts: None))
        return vectors

    def _run(self, tokens: Tokens, vectors: Vectors, progress: Callable[[int], None]) -> None:
        # No callbacks: OpenVINO's threads would need Python's lock to drop them, and deadlock with one that, holding
        # the lock, frees the model. Batches are alike, so requests are waited for in turn.
        requests = deque((self._compiled.create_infer_request(), _NO_ROWS) for _ in range(self._streams))
        reported = done = 0
        for rows in (*_batches(tokens), *[_NO_ROWS] * self._streams):
            request, finished = requests.popleft()
            if len(finished):
                request.wait()
                vectors[finished] = request.get_output_tensor().data
                done += len(finished)
            if len(rows):
                request.start_async([np.stack([tokens[row] for row in rows])])
            requests.append((request, rows))
            if done - reported >= REPORT or (done > reported and done == len(tokens)):
                progress(done - reported)
                reported = done


class FastEncoder(GraphEncoder):
    """A BERT-like model that pools by the mean."""

    def __init__(self, folder: Path) -> None:
        """Load a sentence-transformers folder.

        Raises:
            UnsupportedModel: the model is of another kind.
            OpenVINOUnavailable: it cannot be imported, or refuses the graph.
        """
        from tokenizers import Tokenizer

        file = folder / "tokenizer.json"
        if not file.is_file():
            raise UnsupportedModel("it has no tokenizer.json")
        shape = read_shape(folder)
        tokenizer: Any = Tokenizer.from_file(str(file))
        tokenizer.no_padding()
        tokenizer.enable_truncation(shape.longest)

        def tokenise(texts: list[str]) -> Tokens:
            return [np.array(one.ids, np.int32) for one in tokenizer.encode_batch_fast(texts)]

        super().__init__(tokenise, lambda: build(shape, read_weights(folder)))


def _batches(tokens: Tokens) -> Iterator[NDArray[np.int64]]:
    """Rows of texts with one number of tokens, `BATCH_TOKENS` in all or fewer (or one text), longest first."""
    lengths = np.array([len(one) for one in tokens])
    order = np.argsort(-lengths, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        step = max(1, BATCH_TOKENS // max(1, int(lengths[rows[0]])))
        yield from (rows[start : start + step] for start in range(0, len(rows), step))


def _openvino() -> Any:  # noqa: ANN401 - the module, imported late
    # Importing openvino makes openvino_telemetry report to google-analytics.com unless the user's home says no.
    # Where that package cannot be imported, openvino takes a stub that does nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except (ImportError, OSError) as error:
        raise OpenVINOUnavailable(f"openvino cannot be imported: {error}") from error
    return openvino
