"""The OpenAI-compatible chat completions protocol: what is sent, and what is read out of an answer."""

from enum import IntEnum
from typing import Any

import orjson
from yarl import URL

from persona_assets.engines.base import Request
from persona_assets.errors import UsageError
from persona_assets.prompts import Message

MOST_TOKENS = 1 << 40  # that one answer can have used; more is not a count


class Structure(IntEnum):
    """How JSON is asked for, from the strictest; a server that lacks one is asked in the next."""

    JSON_SCHEMA = 0
    JSON_OBJECT = 1
    PROMPT = 2


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
        raise UsageError("PERSONA_BASE_URL may hold no user, password, query or fragment; the key is PERSONA_API_KEY")
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


def chat_body(request: Request, model: str, structure: Structure) -> bytes:
    """The JSON body of one request. The form of `structure` is transport only: no part of the call's key."""
    messages = request.messages
    body: dict[str, Any] = {"model": model, "messages": messages, **request.sampling.as_dict()}
    if request.response_schema:
        if structure is Structure.JSON_SCHEMA:
            schema = {"name": request.template.name, "schema": request.response_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        else:
            body["messages"] = with_schema(messages, request.response_schema)
        if structure is Structure.JSON_OBJECT:
            body["response_format"] = {"type": "json_object"}
    return orjson.dumps(body)


def with_schema(messages: list[Message], schema: dict[str, Any]) -> list[Message]:
    """The messages with the schema at the end of the system message, for servers that take it in words only."""
    order = f"Answer with one JSON value that fits this JSON Schema and nothing else:\n{orjson.dumps(schema).decode()}"
    if messages and messages[0]["role"] == "system":
        return [Message(role="system", content=f"{messages[0]['content']}\n\n{order}"), *messages[1:]]
    return [Message(role="system", content=order), *messages]


def read_completion(body: bytes) -> tuple[str, str, int, int]:
    """Text, finish reason, prompt and answer tokens (0 where not told). A refusal is an answer, its reason `refusal`.

    Raises:
        ValueError: the body is not a chat completion.
    """
    try:
        value: Any = orjson.loads(body)
        choice = value["choices"][0]
        message = choice["message"]
        content = message.get("content")
        if isinstance(content, list):  # some servers answer in parts
            content = "".join(part.get("text") or "" for part in content)
        refusal = message.get("refusal")
        text = content or refusal or ""
        usage = value.get("usage") or {}
        tokens = [int(usage.get(key) or 0) for key in ("prompt_tokens", "completion_tokens")]
        if not isinstance(text, str):
            raise TypeError("its content is not text")
        if not all(0 <= count < MOST_TOKENS for count in tokens):
            raise TypeError(f"its usage is not a count of tokens: {tokens}")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"no chat completion: {type(error).__name__} {error}") from error
    finish_reason = "refusal" if refusal and not content else str(choice.get("finish_reason") or "unknown")
    return text, finish_reason, tokens[0], tokens[1]
