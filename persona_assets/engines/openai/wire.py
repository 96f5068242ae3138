"""The OpenAI-compatible chat completions protocol: what is sent, and what is read out of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from yarl import URL

from persona_assets.engines.base import Completion, Request
from persona_assets.engines.openai.form import Form, Structure
from persona_assets.errors import UsageError
from persona_assets.prompts import Message
from persona_assets.settings import Settings

MOST_TOKENS = 1 << 40  # that one answer can have used; more is not a count
LEAST_SECRET = 12  # characters; what is shorter is no key
KEY = "{api_key}"  # stands for the key in the headers that are set
MAY_BE_EMPTY = frozenset({"length", "content_filter", "refusal"})  # finish reasons that say why there is no content


class NoContent(ValueError):
    """A completion without any content: a fault of the server, which a further try may mend."""


class ErrorWithin(Exception):
    """An error where a completion should be, under the status 200; `status` and `body` are as they should have been."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body.decode("utf-8", "replace"))
        self.status, self.body = status, body


def endpoint(base_url: str) -> URL:
    """The address of chat completions below `base_url`.

    Raises:
        UsageError: it is not a plain http or https address (a key or password belongs into PERSONA_API_KEY).
    """
    try:
        url = URL(base_url.strip())
    except ValueError as error:
        raise UsageError(f"PERSONA_BASE_URL is not an address: {error}") from error
    if url.user or url.password or url.query_string or url.fragment:
        raise UsageError(
            "PERSONA_BASE_URL may hold no user, password, query or fragment; the key is PERSONA_API_KEY, the query "
            "PERSONA_QUERY"
        )
    if "," in base_url:
        raise UsageError("PERSONA_BASE_URL names several servers where one is meant")
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"PERSONA_BASE_URL={base_url!r} is not an http:// or https:// address")
    return url.with_path(url.path.rstrip("/") + "/chat/completions")


def endpoints(base_urls: str) -> list[URL]:
    """The addresses of chat completions below each of `base_urls`, comma separated.

    Raises:
        UsageError: as in `endpoint`, or none is named.
    """
    found = [endpoint(part) for part in base_urls.split(",") if part.strip()]
    if not found:
        raise UsageError("PERSONA_BASE_URL names no server")
    return list(dict.fromkeys(found))


def headers(settings: Settings) -> dict[str, str]:
    """The headers of every request to a server of these settings: the key's, and those that are set beside it.

    Raises:
        UsageError: the key holds characters that no header may hold.
    """
    key = settings.api_key.get_secret_value().strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError("PERSONA_API_KEY holds characters that no HTTP header may hold")
    own = {name: text.replace(KEY, key) for name, text in settings.headers.items()}
    is_placed = any(KEY in text for text in settings.headers.values())
    return own if is_placed or not key else {"Authorization": f"Bearer {key}"} | own


def secret_texts(settings: Settings) -> list[str]:
    """What no message may show: the key, and what may be one in headers and query; the longest first."""
    key = settings.api_key.get_secret_value().strip()
    others = [*settings.headers.values(), *settings.query.values()]
    return sorted({key, *(text for text in others if len(text) >= LEAST_SECRET)} - {""}, key=len, reverse=True)


def chat_body(request: Request, model: str, form: Form) -> bytes:
    """The JSON body of one request, in the form that the server takes it."""
    messages = request.messages
    parameters = {form.name(field): value for field, value in request.sampling.fields.items() if form.name(field)}
    body: dict[str, Any] = {**request.sampling.extra_body, "model": model, "messages": messages, **parameters}
    if request.response_schema:
        if form.structure is Structure.JSON_SCHEMA:
            strict = is_strict(request.response_schema)
            schema = {"name": request.template.name, "schema": request.response_schema, "strict": strict}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        else:
            body["messages"] = with_schema(messages, request.response_schema)
        if form.structure is Structure.JSON_OBJECT:
            body["response_format"] = {"type": "json_object"}
    return orjson.dumps(body)


def is_strict(schema: Any) -> bool:  # noqa: ANN401 - any JSON Schema
    """Whether a server that holds a model to the letter takes a schema: objects are closed and lack nothing."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    kinds = schema.get("type")
    if kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        whole = set(schema.get("required", ())) == set(schema.get("properties", ()))
        if schema.get("additionalProperties") is not False or not whole:
            return False
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    return is_strict([*parts, *(schema[name] for name in ("items", "anyOf", "oneOf", "allOf") if name in schema)])


def with_schema(messages: list[Message], schema: dict[str, Any]) -> list[Message]:
    """The messages with the schema at the end of the system message, for servers that take it in words only."""
    order = f"Answer with one JSON value that fits this JSON Schema and nothing else:\n{orjson.dumps(schema).decode()}"
    if messages and messages[0]["role"] == "system":
        return [Message(role="system", content=f"{messages[0]['content']}\n\n{order}"), *messages[1:]]
    return [Message(role="system", content=order), *messages]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. `thought` is the reasoning that it told apart; tokens are 0 where it does not say."""

    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    thought: str = ""

    def completion(self, call_id: str, latency_s: float, faults: tuple[str, ...] = ()) -> Completion:
        """The same as the result of a call."""
        return Completion(
            call_id, self.text, self.finish_reason, self.tokens_in, self.tokens_out, latency_s, faults, self.thought
        )


def read_completion(body: bytes) -> Answer:
    """The answer in the body of a chat completion: its content, else the arguments of its tool calls.

    A refusal is an answer, its reason `refusal`.

    Raises:
        NoContent: there is none, nor a thought, though the answer was neither cut off nor filtered.
        ErrorWithin: in place of an answer it tells of an error.
        ValueError: the body is not a chat completion.
    """
    try:
        value: Any = orjson.loads(body)
        if isinstance(value, dict) and "choices" not in value and value.get("error"):
            raise ErrorWithin(_status(value["error"]), orjson.dumps({"error": value["error"]}))
        choice = value["choices"][0]
        message = choice["message"]
        thought, content = _parts(message)
        finish_reason = str(choice.get("finish_reason") or "unknown")
        if finish_reason == "error" or choice.get("error"):
            error = choice.get("error") or {"message": "the answer ended with the finish reason error"}
            raise ErrorWithin(_status(error), orjson.dumps({"error": error}))
        refusal = message.get("refusal")
        text = content if content.strip() else _arguments(message) or refusal or ""
        usage = value.get("usage") or {}
        tokens = [int(usage.get(key) or 0) for key in ("prompt_tokens", "completion_tokens")]
        if not isinstance(text, str):
            raise TypeError("its content is not text")
        if not all(0 <= count < MOST_TOKENS for count in tokens):
            raise TypeError(f"its usage is not a count of tokens: {tokens}")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"no chat completion: {type(error).__name__} {error}") from error
    if not (text.strip() or thought.strip() or finish_reason in MAY_BE_EMPTY):
        raise NoContent(f"an answer without any content, finish reason {finish_reason}")
    if refusal and text == refusal:
        finish_reason = "refusal"
    return Answer(text, finish_reason, tokens[0], tokens[1], thought)


def _parts(message: Mapping[str, Any]) -> tuple[str, str]:
    """Thought and content of a message; some servers answer in parts, some of which are thoughts."""
    content = message.get("content")
    thoughts = [_text(message.get("reasoning_content")) or _text(message.get("reasoning"))]
    if isinstance(content, list):
        parts = [part if isinstance(part, Mapping) else {"text": part} for part in content]
        thoughts += [_text(part.get("thinking") or part.get("reasoning")) for part in parts]
        content = "".join(_text(part.get("text")) for part in parts)
    if content is not None and not isinstance(content, str):
        raise TypeError("its content is not text")
    return "".join(thoughts), content or ""


def _text(value: object) -> str:
    """A text, also where it is given in parts; "" for anything else."""
    if isinstance(value, list):
        return "".join(_text(part.get("text") if isinstance(part, Mapping) else part) for part in value)
    return value if isinstance(value, str) else ""


def _arguments(message: Mapping[str, Any]) -> str:
    """What a model gave to the tools that it called in place of an answer."""
    calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    given = [call.get("arguments") for call in (*calls, message.get("function_call") or {})]
    return "\n".join(one if isinstance(one, str) else orjson.dumps(one).decode() for one in given if one)


def _status(error: object) -> int:
    """The HTTP status that an error names, else that of a server that failed."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500
