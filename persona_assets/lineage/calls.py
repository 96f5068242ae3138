"""The audit of one call: its prompt renders again, its key recomputes, its answer parses into the row again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from persona_assets.engines.base import ModelIdentity, Sampling, call_key
from persona_assets.engines.hop import Ask, Hop, Parsed, Reject, call_columns, read_answer
from persona_assets.engines.ledger import Call, Ledger
from persona_assets.errors import PersonaAssetsError
from persona_assets.lineage.find import Finder, Found
from persona_assets.lineage.hops import Hops
from persona_assets.lineage.model import CallRecord, Verification, failed, unverified, verdict
from persona_assets.lineage.verify import Seals, differences
from persona_assets.prompts import Message, Template

# What a hop or a template may raise on values that were tampered with.
MALFORMED = (PersonaAssetsError, KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What was asked: the messages, the hop's template as the ledger keeps it, and the question."""

    messages: list[Message]
    template: Template
    ask: Ask


class CallAuditor:
    """Audits the calls of one lake."""

    def __init__(self, finder: Finder, hops: Hops, seals: Seals) -> None:
        """Bind to a lake's rows, the hops of this installation and the file seals."""
        self.finder, self.hops, self.seals = finder, hops, seals
        self.ledger = Ledger(finder.lake)

    def record(self, found: Found, parent: Found | None) -> tuple[CallRecord, Prompt | None]:
        """The call with its verifications, and its prompt where it renders. `parent` is the row that it asked about."""
        row = found.row
        record = CallRecord(row["call_id"], row, self.seals.relative(found.path))
        record.verifications.append(self.seals.ledger_part(found.path))
        try:
            prompt = self._prompt(record, parent)
        except MALFORMED as error:
            record.verifications.append(failed("prompt_renders", _said(error)))
            return record, None
        if prompt is None:
            why = "the row that it asked about is gone"
            record.verifications += [
                unverified("prompt_renders", why),
                unverified("call_key_recomputes", why),
            ]
            return record, None
        record.messages = prompt.messages
        record.verifications += [verdict("prompt_renders", True, ""), _key(row, prompt)]
        return record, prompt

    def _prompt(self, record: CallRecord, parent: Found | None) -> Prompt | None:
        row = record.row
        fill: dict[str, Any] = json.loads(row["fill"])
        template = self.ledger.template(row["template_digest"])
        if "repair_of" in fill:
            return self._repair(record, fill, template, parent)
        if parent is None:
            return None
        ask = Ask(parent.row, {**fill, **_own(fill, parent.row)}, row["attempt"])
        messages = template.render(self.hops.hop_for(row["hop"]).variables(ask))
        return Prompt(messages, template, ask)

    def _repair(
        self, record: CallRecord, fill: Mapping[str, Any], template: Template, parent: Found | None
    ) -> Prompt | None:
        original = self.finder.call(fill["repair_of"])
        if original is None:
            raise PersonaAssetsError(f"the call {fill['repair_of']} that it repairs is not in the ledger")
        if "repair_of" in json.loads(original.row["fill"]):
            raise PersonaAssetsError(f"it repairs {fill['repair_of']}, which is a repair itself")
        record.repair_of, first = self.record(original, parent)
        if first is None:
            return None
        added = template.render({"answer": original.row["answer"], "problem": fill["problem"]})
        return Prompt([*first.messages, *added], first.template, first.ask)

    def parse(self, record: CallRecord, prompt: Prompt) -> Parsed | Verification:
        """What the stored answer holds, or why that cannot be said, as a `row_parses_again`."""
        why = self.hops.changed_since(record.row["hop"], prompt.template.digest)
        if why:
            return unverified("row_parses_again", why)
        hop = self.hops.hop_for(record.row["hop"])
        value, problem = read_answer(record.row["answer"], prompt.template)
        if problem:
            truncated = record.row["finish_reason"] == "length"
            return Parsed(rejects=[Reject("truncated" if truncated else "parse_failure", problem)])
        try:
            return hop.parse(prompt.ask, value)
        except MALFORMED as error:
            return failed("row_parses_again", _said(error))

    def row_parses(self, found: Found, record: CallRecord, prompt: Prompt) -> Verification:
        """`row_parses_again`: the stored answer gives this row, equal in every column but the run's."""
        parsed = self.parse(record, prompt)
        if isinstance(parsed, Verification):
            return parsed
        table, row_id = found.table, found.row[found.table.key]
        row = next((row for row in parsed.rows if row[table.key] == row_id), None)
        if row is None:
            return failed("row_parses_again", f"{_held(parsed)}, none of them this row")
        hop = self.hops.hop_for(record.row["hop"])
        expected = {**row, **_call_columns(hop, record, prompt)}
        different = differences(found.row, expected, table)
        return verdict("row_parses_again", not different, different)

    def reject_parses(self, found: Found, record: CallRecord, prompt: Prompt) -> Verification:
        """`row_parses_again` of a rejected row: the stored answer is refused again, for the same reason."""
        parsed = self.parse(record, prompt)
        if isinstance(parsed, Verification):
            return parsed
        row = found.row
        if any(row["row_id"] == given[self.hops.hop_for(record.row["hop"]).table.key] for given in parsed.rows):
            return unverified("row_parses_again", "the answer gives it; it was refused in comparison with other rows")
        refused = [(reject.row_id or prompt.ask.parent_id, reject.reason) for reject in parsed.rejects]
        if not parsed.rows and all(reject.row_id for reject in parsed.rejects):
            refused.append((prompt.ask.parent_id, "nothing_left"))
        same = (row["row_id"], row["reason"]) in refused
        return verdict("row_parses_again", same, f"{_held(parsed)}, but this one is not refused as {row['reason']}")


def _own(fill: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """What the fill says of the row asked about; rows that ask the same share a call, which names the first."""
    key = "persona_id" if "persona_id" in fill else "document_id"
    own = {key: parent[key]}
    if "hop" in fill:
        own["hop"] = parent["hop"] + 1
    return own


def _key(row: Mapping[str, Any], prompt: Prompt) -> Verification:
    """`call_key_recomputes`: prompt, schema, model and sampling give the call's id, which proves them byte for byte."""
    identity = ModelIdentity(row["model"], row["model_revision"])
    try:
        sampling = Sampling(**json.loads(row["sampling"]))
        key = call_key(prompt.messages, prompt.template.response_schema, identity, sampling, row["attempt"])
    except MALFORMED as error:
        return failed("call_key_recomputes", f"sampling {row['sampling']!r}: {_said(error)}")
    seen = f"prompt, schema, model and sampling give {key}: one of them, or the row asked about, was changed"
    return verdict("call_key_recomputes", key == row["call_id"], seen)


def _call_columns(hop: Hop, record: CallRecord, prompt: Prompt) -> dict[str, Any]:
    columns = call_columns(hop, Call(**record.row))
    # The template as it was asked, not as this installation has it now.
    return {**columns, "template": prompt.template.name, "template_version": prompt.template.version}


def _held(parsed: Parsed) -> str:
    return f"the stored answer gives {len(parsed.rows)} rows and {len(parsed.rejects)} rejects"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if not isinstance(error, PersonaAssetsError) else str(error)
