"""The engine for small models, for evaluation and tests: transformers in this process, on the CPU or a GPU."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from persona_assets.engines.base import EngineUnavailable, Failure, ModelIdentity, Request, Result
from persona_assets.engines.openai.faults import DETAIL_CHARACTERS
from persona_assets.engines.weights import local_revision
from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.settings import Settings

if TYPE_CHECKING:
    from persona_assets.engines.transformers_engine.model import LocalModel, Prompt

BATCHES = 4  # in a bucket, whose prompts are sorted by length: what is read ahead
NEAR = 32  # tokens by which prompts of one batch may always differ
MOST_LOGITS = 1 << 28  # of a batch of scores: 1 GiB in float32, where one row does not take more


class TransformersEngine:
    """Answers in batches of at most `settings.transformers_batch` prompts of similar length; also scores.

    The model is loaded by the first request and kept until `close`. Neither torch nor transformers is imported before.
    """

    def __init__(self, settings: Settings) -> None:
        """Check the settings; nothing is imported or loaded yet.

        Raises:
            UsageError: no model is named.

        """
        if not settings.model.strip():
            raise UsageError("the engine transformers needs a model: set PERSONA_MODEL to its folder or its name")
        self.settings = settings
        self._model: LocalModel | None = None
        self._loading = threading.Lock()
        self._working = threading.Lock()  # one batch at a time, whoever asks
        self._closed = threading.Event()  # of the streams that are open

    def identity(self, template: Template) -> ModelIdentity:
        """The model of the settings, whichever the template."""
        return ModelIdentity(self.settings.model, local_revision(self.settings))

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests; see `Engine.stream`. Reads ahead `BATCHES` batches.

        Raises:
            UsageError: the model's tokenizer has no chat template.
            EngineUnavailable: the model cannot be loaded, or fails in a way that no request can be blamed for.

        """
        iterator, closed = iter(requests), self._closed
        size = self.settings.transformers_batch
        while not closed.is_set() and (bucket := list(islice(iterator, BATCHES * size))):
            model = self._loaded()
            prompts: list[Prompt] = []
            settled: list[Result] = []
            for request in bucket:
                found = model.prepare(request)
                if isinstance(found, Result):
                    settled.append(found)
                else:
                    prompts.append(found)
            if settled:
                yield settled
            for batch in batches(prompts, size, model.vocabulary):
                if closed.is_set():
                    return
                if results := self._answers(model, batch, closed.is_set):
                    yield results

    def close(self) -> None:
        """End open streams after their batch's current token, and let go of the model with its memory."""
        self._closed.set()
        with self._loading:
            self._closed = threading.Event()
            model, self._model = self._model, None
        if model is not None:
            del model
            free_memory()

    def _loaded(self) -> "LocalModel":
        from persona_assets.engines.transformers_engine.model import LocalModel

        with self._loading:
            if self._model is None:
                self._model = LocalModel(self.settings)
            return self._model

    def _answers(self, model: "LocalModel", batch: "Sequence[Prompt]", stopped: Callable[[], bool]) -> list[Result]:
        """The results of a batch; of its halves where its memory runs out; none where the stream was closed."""
        from persona_assets.engines.transformers_engine.model import is_out_of_memory

        try:
            with self._working:
                return model.score(batch) if batch[0].request.scores else model.generate(batch, stopped)
        except (RuntimeError, IndexError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise EngineUnavailable(f"{self.settings.model}: {type(error).__name__}: {error}") from error
            said = str(error)[:DETAIL_CHARACTERS]
        free_memory()  # here, where the error no longer holds on to what was computed
        if len(batch) == 1:
            return [Failure(batch[0].request.call_id, "server_error", f"out of memory: {said}")]
        half = len(batch) // 2
        return [result for part in (batch[:half], batch[half:]) for result in self._answers(model, part, stopped)]


def batches(prompts: "Iterable[Prompt]", size: int, vocabulary: int) -> "Iterator[list[Prompt]]":
    """Batches of at most `size` prompts, those to score by themselves, each of prompts of similar length.

    Prompts to score that are read alike count as one, and stand in one batch.
    """
    batch: list[Prompt] = []
    read: set[object] = set()
    for prompt in sorted(prompts, key=lambda prompt: (prompt.request.scores, prompt.length, prompt.ids)):
        scores = prompt.request.scores
        reads: object = prompt.read if scores else prompt.request.call_id
        longest = max(len(one.continuation) for one in (*batch, prompt))
        too_large = (len(read | {reads})) * longest * vocabulary > MOST_LOGITS
        full = len(read) == size and reads not in read
        if batch and (full or too_large or scores != batch[0].request.scores or _apart(batch[0], prompt)):
            yield batch
            batch, read = [], set()
        batch.append(prompt)
        read.add(reads)
    if batch:
        yield batch


def _apart(shorter: "Prompt", longer: "Prompt") -> bool:
    """Whether one prompt would be mostly padding beside the other."""
    return longer.length > 2 * shorter.length + NEAR


def free_memory() -> None:
    """Give back what was allocated and is not in use."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
