"""A prompt template: read from YAML, checked, rendered to the same bytes for the same values."""

import re
from collections.abc import Callable, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, TypedDict

import jinja2
import jsonschema
import jsonschema_rs
import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json, digest

PROMPTS = Path(__file__).parent
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be built without libyaml
_TAG = re.compile(r"</?([a-z_]+)>")


class Message(TypedDict):
    """One chat message."""

    role: str
    content: str


class MessageTemplate(BaseModel):
    """One chat message whose content is a Jinja template."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Literal["system", "user", "assistant"]
    content: str


class Rule(BaseModel):
    """A named validity rule of a task and its arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    rule: str
    args: dict[str, Any] = Field(default_factory=dict)


class Template(BaseModel):
    """One prompt or task file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,60}$")
    version: int = Field(ge=1)
    kind: Literal["step", "task", "repair"] = "task"
    title: str
    description: str
    messages: tuple[MessageTemplate, ...] = Field(min_length=1)
    response_schema: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict, description="Plain values that the messages may use")
    sampling: dict[str, float] = Field(default_factory=dict, description="Overrides of the sampling settings")
    validity: tuple[Rule, ...] = ()
    target: int | None = Field(None, ge=1, description="Accepted rows to stop at, over all partitions")
    offline: dict[str, Any] = Field(default_factory=dict, description="How the offline engine phrases an answer")

    @model_validator(mode="after")
    def _check(self) -> "Template":
        if self.response_schema:
            jsonschema.Draft202012Validator.check_schema(self.response_schema)
        for message in self.messages:
            ENVIRONMENT.parse(message.content)
        unknown = set(self.sampling) - {"temperature", "top_p", "max_tokens", "seed"}
        if unknown:
            raise ValueError(f"unknown sampling keys {sorted(unknown)}")
        return self

    @cached_property
    def digest(self) -> str:
        """Digest of all that shapes the prompt: messages, parameters and response schema."""
        return digest(canonical_json(self.prompt_part()))

    def prompt_part(self) -> dict[str, Any]:
        """What the digest covers and the ledger keeps, enough to render again."""
        return {
            "name": self.name,
            "version": self.version,
            "messages": [message.model_dump() for message in self.messages],
            "params": self.params,
            "response_schema": self.response_schema,
        }

    @cached_property
    def tags(self) -> frozenset[str]:
        """The section tags (`<document>` ...) that the messages use as delimiters."""
        return frozenset(tag for message in self.messages for tag in _TAG.findall(message.content))

    @cached_property
    def validator(self) -> jsonschema.Draft202012Validator:
        """Validator of the response schema."""
        return jsonschema.Draft202012Validator(self.response_schema)

    @cached_property
    def fits(self) -> Callable[[Any], bool]:
        """Whether a JSON value fits the response schema: `validator`, compiled, which says no more than yes or no."""
        return jsonschema_rs.Draft202012Validator(self.response_schema).is_valid

    @cached_property
    def _delimiter(self) -> re.Pattern[str] | None:
        tags = "|".join(sorted(self.tags))
        return re.compile(rf"<(?=\s*/?\s*(?:{tags})\b)", re.IGNORECASE) if tags else None

    def defused(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with the delimiters of the prompt made harmless wherever they stand in a string."""
        if isinstance(value, str):
            return self._delimiter.sub("‹", value) if "<" in value and self._delimiter else value
        if isinstance(value, list | tuple):
            return [self.defused(item) for item in value]
        if isinstance(value, dict):
            return {key: self.defused(item) for key, item in value.items()}
        return value

    def render(self, variables: Mapping[str, Any]) -> list[Message]:
        """The messages with `variables` filled in. Values cannot close a section: its tags are defused in them.

        Raises:
            UsageError: the template uses a variable that is not given.
        """
        values = {key: self.defused(value) for key, value in {**self.params, **variables}.items()}
        try:
            return [
                Message(role=message.role, content=_compiled(message.content).render(values))
                for message in self.messages
            ]
        except TemplateError as error:
            raise UsageError(f"template {self.name}: {error}") from error


ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=1024)
def _compiled(content: str) -> jinja2.Template:
    """Jinja compiles anew on each call, which takes a hundred times as long as filling in."""
    return ENVIRONMENT.from_string(content)


def load_template(path: Path) -> Template:
    """Read one file.

    Raises:
        UsageError: it is not YAML, or a key is missing, unknown or ill typed; the message names file and key.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error
    except (TemplateError, jsonschema.SchemaError) as error:
        raise UsageError(f"{path}: {str(error).splitlines()[0]}") from error


@cache
def _read(path: Path, changed: int) -> Template:
    """A file as it was at its time of change; the large ones take a tenth of a second."""
    return Template.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader))


def load_templates(folder: Path) -> dict[str, Template]:
    """All template files of a folder, by name, in name order.

    Raises:
        UsageError: the folder is missing, a file is wrong, or two files have one name.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of task files")
    found: dict[str, Template] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        template = load_template(path)
        if template.name in found:
            raise UsageError(f"{path}: the name {template.name} is taken by another file")
        found[template.name] = template
    return found
