"""A model of transformers with its tokenizer: prompts laid out, answered and scored in batches.

Batches are padded on the left, so that all prompts end at one place, and an attention mask hides the padding. Importing
this module imports torch and transformers: only the engine does, when its first request comes.
"""

import inspect
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when transformers is imported

import torch
from jinja2 import TemplateError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.utils import logging as transformers_logging

from persona_assets.engines.base import SCORED, Completion, EngineUnavailable, Failure, Request, Result, score_text
from persona_assets.engines.openai.faults import DETAIL_CHARACTERS
from persona_assets.engines.scores import chat_tokens, continuation_tokens, score_fault
from persona_assets.engines.weights import place_of
from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json, digest
from persona_assets.settings import Settings

# What from_pretrained raises of files that are missing, damaged or of no model that it knows.
CANNOT_LOAD = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError)
SMALL = 3_000_000  # parameters below which threads cost more, waiting for one another, than they gain
UNBOUNDED = 1 << 40  # the context of a model that names none


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as token ids; `continuation` is what is scored after them."""

    request: Request
    ids: list[int]
    continuation: list[int] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.ids) + len(self.continuation)

    @property
    def read(self) -> tuple[int, ...]:
        """What the model reads to score the continuation: what follows its last token is not asked for."""
        return (*self.ids, *self.continuation)[:-1]


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    prompt: Prompt
    limit: int  # tokens that it may have
    random: torch.Generator
    tokens: list[int] = field(default_factory=list)
    tokens_out: int = 0
    finish_reason: str = ""  # while there is none it goes on
    failure: Failure | None = None

    @property
    def open(self) -> bool:
        return not self.finish_reason and self.failure is None


class LocalModel:
    """A causal language model and its tokenizer; float32 on a CPU, the type of the weights on a GPU."""

    def __init__(self, settings: Settings) -> None:
        """Load both, from a folder or the Hugging Face cache; fetched only where HF_HUB_OFFLINE=0 allows it.

        Raises:
            UsageError: the tokenizer has no chat template.
            EngineUnavailable: model or tokenizer cannot be loaded, or weights are missing.

        """
        self.name = settings.model
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        options: dict[str, Any] = {"local_files_only": os.environ.get("HF_HUB_OFFLINE", "1") != "0"}
        place = place_of(settings)
        if settings.model_revision and not Path(place).is_dir():
            options["revision"] = settings.model_revision
        dtype: Any = "auto" if self.device.type == "cuda" else torch.float32
        try:
            with _quiet():
                self.tokenizer: Any = AutoTokenizer.from_pretrained(place, **options)
                loaded: Any = AutoModelForCausalLM.from_pretrained(
                    place, dtype=dtype, output_loading_info=True, **options
                )
            model, report = loaded
            self.model: Any = model.to(self.device).eval()
        except CANNOT_LOAD as error:
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            raise EngineUnavailable(f"transformers cannot load {self.name}: {said}; check PERSONA_MODEL") from error
        if missing := sorted(report["missing_keys"]):
            raise EngineUnavailable(
                f"{self.name} lacks {len(missing)} of the model's weights, such as {missing[0]}: check PERSONA_MODEL"
            )
        if not self.tokenizer.chat_template:
            raise UsageError(
                f"the tokenizer of {self.name} has no chat template: set PERSONA_MODEL to a model for chats, or put a "
                "chat_template.jinja into its folder"
            )
        config = model.config.get_text_config()
        limits = (getattr(config, "max_position_embeddings", None), settings.max_model_len)
        self.context = min((limit for limit in limits if limit and limit > 0), default=UNBOUNDED)
        self.vocabulary = int(config.vocab_size)
        self._ends = _end_tokens(model, self.tokenizer)
        self._small = sum(weight.numel() for weight in model.parameters()) < SMALL
        self._takes = frozenset(inspect.signature(model.forward).parameters)

    def prepare(self, request: Request) -> Prompt | Result:
        """The tokens of a request, or its result where nothing has to be computed.

        A `bad_request` is one that the chat template refuses or that does not fit into the context; an answer needs
        room for one token.
        """
        try:
            if request.scores:
                prompt = Prompt(request, *continuation_tokens(self.tokenizer, request.messages))
            else:
                prompt = Prompt(request, chat_tokens(self.tokenizer, request.messages))
        except (TemplateError, ValueError, TypeError) as error:
            return Failure(request.call_id, "bad_request", str(error)[:DETAIL_CHARACTERS])
        if not prompt.ids:
            return Failure(request.call_id, "bad_request", "the chat template makes no token of the messages")
        if prompt.length + (not request.scores) > self.context:
            said = f"{prompt.length} tokens do not fit into the context of {self.context}"
            return Failure(request.call_id, "bad_request", said)
        if request.scores and not prompt.continuation:
            return Completion(request.call_id, score_text(0.0, 0), SCORED, prompt.length, 0, 0.0)
        return prompt

    # Scores

    def score(self, batch: Sequence[Prompt]) -> list[Result]:
        """The log-probability of each continuation: the sum over its tokens, in nats, added up in float64.

        Prompts that are read alike, as those of options of one token are, are read once.
        """
        with self._computing():
            return self._score(batch)

    def _score(self, batch: Sequence[Prompt]) -> list[Result]:
        started = time.monotonic()
        rows = {read: place for place, read in enumerate(dict.fromkeys(prompt.read for prompt in batch))}
        ids, mask, positions = self._padded([*rows])
        keep = max(len(prompt.continuation) for prompt in batch)
        logits = self._forward(ids, mask, positions, keep=keep, use_cache=False).logits
        sums = []
        for prompt in batch:
            wanted = torch.tensor(prompt.continuation, device=self.device)
            logprobs = logits[rows[prompt.read], -len(wanted) :].float().log_softmax(-1).gather(-1, wanted[:, None])
            sums.append(float(logprobs.double().sum()))
        seconds = time.monotonic() - started
        return [_scored(prompt, logprob, seconds) for prompt, logprob in zip(batch, sums, strict=True)]

    # Answers

    def generate(self, batch: Sequence[Prompt], stopped: Callable[[], bool]) -> list[Result]:
        """An answer to each prompt, token by token; nothing where `stopped` says so meanwhile.

        Answers that have ended leave the batch when they are half of it: leaving copies what the model remembers.
        Of the model's own generation config only the tokens that end an answer count.
        """
        with self._computing():
            return self._generate(batch, stopped)

    def _generate(self, batch: Sequence[Prompt], stopped: Callable[[], bool]) -> list[Result]:
        started = time.monotonic()
        drafts = [self._draft(prompt) for prompt in batch]
        going = drafts
        ids, mask, positions = self._padded([prompt.ids for prompt in batch])
        past = None
        while True:
            output = self._forward(ids, mask, positions, past, keep=1)
            past, logits = output.past_key_values, output.logits[:, -1].float()
            chosen = _choose(logits, going)
            sound = logits.amax(-1).isfinite().tolist()
            for draft, token, is_number in zip(going, chosen.tolist(), sound, strict=True):
                self._add(draft, token, is_number)
            places = [place for place, draft in enumerate(going) if draft.open]
            if not places:
                break
            if stopped():
                return []
            if 2 * len(places) <= len(going) and _can_select(past):
                rows = torch.tensor(places, device=self.device)
                past.batch_select_indices(rows)
                chosen, mask, positions = chosen[rows], mask[rows], positions[rows]
                going = [going[place] for place in places]
            ids = chosen[:, None]
            mask = torch.cat([mask, mask.new_ones(len(going), 1)], dim=1)
            # Answers that have ended may wait for the others, and may not leave the context meanwhile.
            positions = (positions[:, -1:] + 1).clamp(max=self.context - 1)
        seconds = time.monotonic() - started
        return [self._answered(draft, seconds) for draft in drafts]

    def _draft(self, prompt: Prompt) -> _Draft:
        sampling = prompt.request.sampling
        seed = int(digest(canonical_json([sampling.seed, prompt.request.call_id]))[:15], 16)
        limit = min(sampling.max_tokens, self.context - prompt.length)
        return _Draft(prompt, limit, torch.Generator().manual_seed(seed))

    def _add(self, draft: _Draft, token: int, is_number: bool) -> None:
        """Take the next token of an answer, unless it has ended."""
        if not draft.open:
            return
        if not is_number:
            said = f"the model gives NaN or infinity after {draft.tokens_out} tokens"
            draft.failure = Failure(draft.prompt.request.call_id, "server_error", said)
            return
        draft.tokens_out += 1
        if token in self._ends:
            draft.finish_reason = "stop"
            return
        draft.tokens.append(token)
        if draft.tokens_out == draft.limit:
            draft.finish_reason = "length"

    def _answered(self, draft: _Draft, seconds: float) -> Result:
        if draft.failure:
            return draft.failure
        text = self.tokenizer.decode(draft.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        prompt = draft.prompt
        return Completion(prompt.request.call_id, text, draft.finish_reason, prompt.length, draft.tokens_out, seconds)

    # The model

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """No gradients, and one thread for a small model; afterwards as many as before."""
        threads = torch.get_num_threads()
        if self._small:
            torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(threads)

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, attention mask and positions of rows of tokens: each of shape (rows, longest), padded on the left."""
        longest = max(map(len, rows))
        # Any token may stand for padding: the mask hides it.
        ids = torch.tensor([[*[0] * (longest - len(row)), *row] for row in rows], device=self.device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=self.device)
        return ids, mask, (mask.cumsum(-1) - 1).clamp(min=0)

    def _forward(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        positions: torch.Tensor,
        past: Any = None,  # noqa: ANN401 - a cache of transformers
        *,
        keep: int,
        use_cache: bool = True,
    ) -> Any:  # noqa: ANN401 - an output of transformers
        """One pass; of the logits, shape (rows, positions, vocabulary), at least the last `keep` positions."""
        given: dict[str, Any] = {"position_ids": positions, "logits_to_keep": keep}
        given = {name: value for name, value in given.items() if name in self._takes}
        if past is not None:
            given["past_key_values"] = past
        return self.model(input_ids=ids, attention_mask=mask, use_cache=use_cache, return_dict=True, **given)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no advice on stderr while a model loads; what was set before is set again."""
    settings: Any = transformers_logging
    bar, verbosity = settings.is_progress_bar_enabled(), settings.get_verbosity()
    settings.disable_progress_bar()
    settings.set_verbosity_error()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if bar:
            settings.enable_progress_bar()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the GPU or the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return any(words in said for words in ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED"))


def _scored(prompt: Prompt, logprob: float, seconds: float) -> Result:
    call_id = prompt.request.call_id
    if fault := score_fault(logprob):
        return Failure(call_id, *fault)
    return Completion(call_id, score_text(logprob, len(prompt.continuation)), SCORED, prompt.length, 0, seconds)


def _can_select(past: Any) -> bool:  # noqa: ANN401 - a cache of transformers
    """Whether rows can be taken out of a cache that keeps keys and values alone, as most models have."""
    return isinstance(past, DynamicCache) and all(isinstance(layer, DynamicLayer) for layer in past.layers)


def _choose(logits: torch.Tensor, drafts: Sequence[_Draft]) -> torch.Tensor:
    """The next token of each answer: shape (rows,), of logits of shape (rows, vocabulary).

    Greedy where the temperature is 0. Else it is drawn from the most probable tokens whose probabilities reach `top_p`,
    by one number of the answer's own generator, so that it does not hang on the other rows.
    """
    greedy = logits.argmax(-1)
    settings = [draft.prompt.request.sampling for draft in drafts]
    if not any(sampling.temperature > 0 for sampling in settings):
        return greedy
    drawn = [float(torch.rand((), generator=draft.random, dtype=torch.float64)) for draft in drafts]
    numbers, top_p, temperature = (
        torch.tensor(values, dtype=torch.float64, device=logits.device)[:, None]
        for values in (drawn, [one.top_p for one in settings], [one.temperature for one in settings])
    )
    scaled = (logits - logits.amax(-1, keepdim=True)).double() / temperature.where(temperature > 0, 1.0)
    probabilities, order = scaled.softmax(-1).sort(dim=-1, descending=True, stable=True)
    sums = probabilities.cumsum(-1)
    kept = sums - probabilities < top_p
    mass = (probabilities * kept).sum(-1, keepdim=True)
    place = ((sums <= numbers * mass) & kept).sum(-1, keepdim=True).clamp(max=kept.sum(-1, keepdim=True) - 1)
    place = place.clamp(min=0)  # none is kept of logits that are NaN
    return torch.where(temperature.squeeze(-1) > 0, order.gather(-1, place).squeeze(-1), greedy)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:  # noqa: ANN401 - of transformers
    """The tokens that end an answer: of the generation config, and the tokenizer's own."""
    named = model.generation_config.eos_token_id if model.generation_config is not None else None
    ends = {*named} if isinstance(named, list | tuple) else {named}
    return frozenset(int(token) for token in (*ends, tokenizer.eos_token_id) if token is not None)
