"""Tokens of prompts and answers: counted with the model's tokenizer, told from calls, or estimated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import orjson
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from persona_assets.errors import UsageError
from persona_assets.prompts import Message

PER_MESSAGE, OPENING = 4, 3  # tokens around a message, and before the answer, where no chat template says it
BYTES_PER_TOKEN = 4.0  # of an estimate
STRING_TOKENS = 50  # of a free text in an answer: two sentences
VALUE_TOKENS = 3  # of a number, a yes or no, or a key with its quotes
ITEMS = 3  # of a list whose length the schema leaves open


class TokenCounter:
    """Counts the tokens of a chat prompt with a model's tokenizer.

    Where the tokenizer comes with a chat template the prompt is laid out by it, else each message counts `PER_MESSAGE`
    tokens more and the opening of the answer `OPENING`.
    """

    def __init__(self, place: str) -> None:
        """Read the tokenizer in `place`, a `tokenizer.json` or the folder that holds it.

        Raises:
            UsageError: there is none, or it cannot be read.
        """
        path = Path(place)
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise UsageError(f"PERSONA_TOKENIZER: {file} is not a file: give a tokenizer.json, or a model's folder")
        try:
            self._tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
        except Exception as error:
            raise UsageError(f"PERSONA_TOKENIZER: {file} is not a tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._layout = _layout(file.parent) if path.is_dir() else None

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of a prompt."""
        if self._layout is not None:
            try:
                return self._tokens(self._layout.render(messages=messages, add_generation_prompt=True))
            except jinja2.TemplateError:  # such as one that knows no system message, which a server would refuse
                self._layout = None
        return OPENING + sum(PER_MESSAGE + self._tokens(message["content"]) for message in messages)

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _layout(folder: Path) -> jinja2.Template | None:
    """The chat template of a model's folder."""
    config, file = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    values: dict[str, Any] = {}
    if config.is_file():
        try:
            values = orjson.loads(config.read_bytes())
        except orjson.JSONDecodeError as error:
            raise UsageError(f"PERSONA_TOKENIZER: {config} is not JSON: {error}") from error
    source = file.read_text(encoding="utf-8") if file.is_file() else values.get("chat_template")
    if not isinstance(source, str):
        return None
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    for name in ("bos_token", "eos_token"):
        token = values.get(name) or ""
        environment.globals[name] = token["content"] if isinstance(token, dict) else token
    try:
        return environment.from_string(source)
    except jinja2.TemplateError:
        return None


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def prompt_bytes(messages: Sequence[Message]) -> int:
    """UTF-8 bytes of a prompt's messages."""
    return sum(len(message["content"].encode()) for message in messages)


def answer_tokens(schema: dict[str, Any], items: int | None = None) -> float:
    """An estimate of the tokens of an answer that fits a schema; `items`, where known, is the length of its lists."""
    if "enum" in schema or "const" in schema:
        return VALUE_TOKENS
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        values = schema.get("properties", {}).values()
        return 2 + sum(VALUE_TOKENS + answer_tokens(value, items) for value in values)
    if kind == "array":
        known = items or max(int(schema.get("minItems", 0)), min(ITEMS, int(schema.get("maxItems", ITEMS))))
        return 2 + known * answer_tokens(schema.get("items") or {"type": "string"}, None)
    if kind == "string":
        least = schema.get("minLength", 0) / BYTES_PER_TOKEN
        most = schema.get("maxLength", 1 << 20) / BYTES_PER_TOKEN
        return float(min(max(STRING_TOKENS, least), most))
    return VALUE_TOKENS
