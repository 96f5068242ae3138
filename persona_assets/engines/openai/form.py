"""How a question is sent, and what a server's refusal teaches about it.

| a server says | the next question is sent |
| --- | --- |
| no `response_format` of this type | with the schema in words: in JSON mode, then without |
| `max_tokens` is not supported | with `max_completion_tokens` |
| `temperature`, `top_p` or `seed` is not supported, or only as the server has it | without it |
| not both of `temperature` and `top_p` | without `top_p` |

What is too large or too small is for a person to set right: nothing is learned from that.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum

from persona_assets.settings import Settings

OTHER_NAMES = {"max_tokens": ("max_completion_tokens", "max_output_tokens"), "seed": ("random_seed",)}
MOST_TOLD = 600  # characters
_REFUSED = re.compile(
    r"unsupported|unknown|unrecogni[sz]ed|unexpected|\bextra|extraneous|invalid|deprecated|mutually|instead|disabled"
    r"|\bonly\b|\bmust\b|\bunset\b|cannot|can't|no such|not (?:be |currently |yet |a )*(?:support|permit|allow|accept"
    r"|recogni[sz]|known|valid|available|implement|configurable|compatible)"
    r"|(?:does|do)(?: not|n't) (?:support|accept|allow|recogni[sz]e|take|have)|不支持|不允许|无效|未知|只能|必须"
)
_RANGE = re.compile(
    r"between|\brange\b|(?:less|greater|lower|higher|more) than|at (?:most|least)|[≤≥]|[<>]=|\d\s*[<>]\s*\d|exceed"
    r"|maximum|minimum|too (?:large|high|big|long|small|low)|超出|超过|范围"
)
_MAY_BE_UNSET = re.compile(r"\bunset\b|\bdefault\b|\bomit")
_NOT_BOTH = re.compile(r"\bboth\b|only one|one of|either|mutually|together|at the same time|同时")
_OF_THE_SCHEMA = re.compile(r"response_format|json_schema|json_object|guided|structured")
_OF_THE_CONTEXT = re.compile(r"context|prompt is too long|input is too long")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DIGITS = re.compile(r"\d+")


class Structure(IntEnum):
    """How JSON is asked for, from the strictest; a server that lacks one is asked in the next."""

    JSON_SCHEMA = 0
    JSON_OBJECT = 1
    PROMPT = 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's refusal of a request: its words, and its code and the field that it names ("" where it does not).

    `more` is all that was sent with the words.
    """

    message: str
    code: str = ""
    field: str = ""
    more: str = ""

    @property
    def told(self) -> str:
        """All that it tells, in lower case, cut to a length that no page of a proxy hides its words in."""
        return f"{self.message} {self.code} {self.more}"[:MOST_TOLD].lower()

    @property
    def words(self) -> str:
        """The message in lower case, with `maxTokens` and `top p` as the fields are called."""
        return _CAMEL.sub("_", self.message).lower().replace("top p", "top_p").replace("top-p", "top_p")

    def names(self, field: str) -> bool:
        """Whether it speaks of a field."""
        if self.field:
            return self.field.rsplit(".", 1)[-1] == field
        return re.search(rf"(?<![a-z0-9_]){re.escape(field)}(?![a-z0-9_])", self.words) is not None

    def complaint(self, fields: Collection[str]) -> str:
        """What it says of one of these fields, the same for requests of other sizes; "" where it speaks of none.

        A prompt that does not fit with its answer into the context is about one request.
        """
        if _OF_THE_CONTEXT.search(self.words) or not any(map(self.names, fields)):
            return ""
        return _DIGITS.sub("0", self.words)


@dataclass(frozen=True, slots=True)
class Form:
    """How a question is sent. It is transport only, and no part of a call's key.

    `names` are the names of fields that a server knows by another one, and "" for those that it takes in no form.
    """

    structure: Structure = Structure.JSON_SCHEMA
    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Form":
        """The form to begin with, where some fields are known to have other names."""
        return cls(names=tuple(sorted(settings.rename_fields.items())))

    def __str__(self) -> str:
        """Such as `in JSON mode, max_completion_tokens for max_tokens, without seed`."""
        words = {Structure.JSON_SCHEMA: "with a schema", Structure.JSON_OBJECT: "in JSON mode"}
        told = [words.get(self.structure, "with the schema in words")]
        told += [f"{name} for {field}" if name else f"without {field}" for field, name in self.names]
        return ", ".join(told)

    def name(self, field: str) -> str:
        """The name that a field is sent by; "" for not at all."""
        return dict(self.names).get(field, field)

    def after(self, refusal: Refusal, fields: Collection[str], *, structured: bool) -> "Form | None":
        """The form to try after a request of this one was refused; None where nothing can be learned.

        `fields` are the parameters of the request, `structured` says whether it has a schema.
        """
        lower = structured and self.structure is not Structure.PROMPT
        words = f"{refusal.field} {refusal.words}"
        if lower and _OF_THE_SCHEMA.search(words):
            return replace(self, structure=Structure(self.structure + 1))
        sent = {field: name for field in fields if (name := self.name(field))}
        named = [field for field, name in sent.items() if refusal.names(name)]
        if not refusal.field and len(named) > 1 and _NOT_BOTH.search(words):
            named = [field for field in named if field != "temperature"]
        names = dict(self.names)
        for field in named:
            if (instead := self._instead(field, refusal)) is not None:
                names[field] = instead
        if names != dict(self.names):
            return replace(self, names=tuple(sorted(names.items())))
        return replace(self, structure=Structure(self.structure + 1)) if lower and "schema" in words else None

    def _instead(self, field: str, refusal: Refusal) -> str | None:
        """The name that a refused field is sent by from now on, "" for none; None where it stays."""
        words, now = refusal.words, self.name(field)
        for other in OTHER_NAMES.get(field, ()):
            if other != now and other not in dict(self.names).values() and re.search(rf"\b{other}\b", words):
                return other
        if not _REFUSED.search(f"{refusal.code.lower()} {words}"):
            return None
        if _RANGE.search(words) and not _MAY_BE_UNSET.search(words):
            return None
        if field != "max_tokens":
            return ""
        return OTHER_NAMES[field][0] if now == field else None  # an answer without a limit may cost anything
