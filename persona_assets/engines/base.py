"""The engine protocol: a stream of requests in, a stream of completions and typed failures out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, make_id
from persona_assets.prompts import Message, Template
from persona_assets.settings import Settings


class EngineUnavailable(PersonaAssetsError):
    """No answer can be had at all (no server, bad key, unknown model); the run stops, what is stored stays."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers, and in which revision; both are part of a call's key."""

    model: str
    revision: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters; all of them are part of a call's key, but those that are not sent (`dropped`).

    `extra_body` are further fields of a request; `asking` counts how often the question was asked before, where its
    answer was set aside and somebody wanted another one.
    """

    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    dropped: frozenset[str] = frozenset()
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    asking: int = 0

    @classmethod
    def of(cls, settings: Settings, template: Template) -> "Sampling":
        """The settings, overridden by what the template asks for."""
        values: dict[str, Any] = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "max_tokens": settings.max_tokens,
            "seed": settings.seed,
        }
        values.update(template.sampling)
        sampling = cls(
            float(values["temperature"]),
            float(values["top_p"]),
            int(values["max_tokens"]),
            int(values["seed"]),
        )
        if settings.engine != "openai":  # only its requests have fields that can be left out or added
            return sampling
        return replace(sampling, dropped=frozenset(settings.drop_fields), extra_body=settings.extra_body)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Sampling":
        """The inverse of `as_dict`, where what was not sent is 0.

        Raises:
            TypeError: there are other values.
        """
        names = ("temperature", "top_p", "max_tokens", "seed")
        lacking = frozenset(names).difference(values)
        return cls(**{**dict.fromkeys(lacking, 0), **values}, dropped=lacking)

    @property
    def fields(self) -> dict[str, float | int]:
        """The parameters that are sent, by name."""
        values = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }
        return {name: value for name, value in values.items() if name not in self.dropped}

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what is sent and nothing else, so that keys are those of before there were further fields."""
        more = {"extra_body": dict(self.extra_body), "asking": self.asking}
        return self.fields | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class Request:
    """One model call to make. `template` names what was rendered; an engine may use its offline phrasing only.

    With `scores` nothing is generated: the answer is `score_text` of the last message, the continuation, given the
    messages before it, with the finish reason `SCORED`.
    """

    call_id: str
    messages: list[Message]
    response_schema: dict[str, Any]
    sampling: Sampling
    template: Template
    scores: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer, as the model gave it; `thought` is what it thought before, where the engine tells it apart."""

    call_id: str
    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    latency_s: float
    faults: tuple[str, ...] = ()  # reasons of the tries before, as in `Failure`
    thought: str = ""

    @property
    def retries(self) -> int:
        """Tries beyond the first."""
        return len(self.faults)


EMPTY = "empty"  # an answer without any content
NO_ANSWER = "no_answer"  # a request that an engine gave no result for, which only the runner can see
PASSING_FAULTS = frozenset(
    {"timeout", "rate_limited", "server_error", "connection", "protocol", "stalled", EMPTY, NO_ANSWER}
)  # fmt: skip
# Asked again, the request would end in the same way; `not_supported`: this engine has no such answers.
FINAL_FAULTS = frozenset({"bad_request", "not_supported"})
# Reasons of rejects whose questions the next run asks again. A partition that holds one of them is not done.
PASSING_REJECTS = frozenset(f"engine_{reason}" for reason in PASSING_FAULTS)


def fault_reject(reason: str) -> str:
    """The reason of the reject of a question that failed for this reason.

    `engine_<reason>`, one of `PASSING_REJECTS`, for a passing fault; the reason itself for a final one. What is not
    known passes for a `server_error`, so that it is asked again.
    """
    if reason in FINAL_FAULTS:
        return reason
    return f"engine_{reason if reason in PASSING_FAULTS else 'server_error'}"


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer for one request; `reason` is one of `PASSING_FAULTS` or `FINAL_FAULTS`."""

    call_id: str
    reason: str
    detail: str
    faults: tuple[str, ...] = ()  # reasons of the tries before the last

    @property
    def retries(self) -> int:
        """Tries beyond the first."""
        return len(self.faults)


Result = Completion | Failure
SCORED = "score"  # the finish reason of a score


def score_text(logprob: float, tokens: int) -> str:
    """The answer that scores a continuation, as canonical JSON.

    `logprob` is the sum of its tokens' natural log-probabilities, a finite number; `tokens` is how many there are.
    """
    return canonical_json({"logprob": logprob, "tokens": tokens}).decode()


def not_supported(request: Request, engine: str) -> Failure:
    """The result of a scoring request to an engine that cannot score; nothing was asked."""
    return Failure(request.call_id, "not_supported", f"the engine {engine} does not score: use transformers or vllm")


class Engine(Protocol):
    """Who answers prompts. Nothing in the pipeline knows which engine it is."""

    def identity(self, template: Template) -> ModelIdentity:
        """The model that would answer this template."""
        ...

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests, in any order, in small lists as they come; reads ahead only as far as it works at once.

        Raises:
            EngineUnavailable: no request can be answered.

        """
        ...

    def close(self) -> None:
        """Release connections, threads and memory."""
        ...


def call_key(
    messages: list[Message],
    response_schema: dict[str, Any],
    identity: ModelIdentity,
    sampling: Sampling,
    attempt: int,
) -> str:
    """The id of a call: all that shapes the answer, and nothing else (data contract 4).

    | in the key | left out, as it cannot change the answer |
    | --- | --- |
    | rendered messages, response schema | template name and version, ids of the rows filled in |
    | model, revision | server address, key, timeouts, concurrency |
    | temperature, top_p, max_tokens, seed, extra_body, asking, attempt | run, shard, asset, time, prices |
    """
    return make_id(
        "call",
        messages,
        response_schema,
        identity.model,
        identity.revision,
        sampling.as_dict(),
        attempt,
    )
