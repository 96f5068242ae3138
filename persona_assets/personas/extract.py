"""Text-to-persona: who would read, write, like or dislike a document (Persona Hub, section 2.1).

A document that is a persona already gives that one, and nobody is asked about it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import Any

import polars as pl

from persona_assets.ids import Json, digest, make_id
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, GIVEN, RAW_DOCUMENTS
from persona_assets.personas.form import form_of
from persona_assets.prompts import Template, load_template
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Context, Outcome, Parsed, Reject, Report, StepRunner, write_outcomes
from persona_assets.text.language import LANGUAGE_NAMES
from persona_assets.text.sentences import BYTES_PER_TOKEN, cut, windows


def persona_id(document_id: str, parent_persona_id: str | None, relation: str, text: str, window: int = 0) -> str:
    """The id of a persona: its root document, its parent (None at hop 0), the relation and the text.

    Of a document that is asked about in several parts, also the part, unless that is the first.
    """
    return make_id("per", document_id, parent_persona_id or "", relation, text, *([window] if window else ()))


def question_of(document_id: str, fill: Mapping[str, Json]) -> str:
    """The id of the question about a part of a document; "" where the document is asked about once."""
    return make_id("qst", document_id, fill["window"]) if "window" in fill else ""


def normalise(text: str) -> str:
    """A persona's text with every run of white space as one space and none at the ends."""
    return " ".join(text.split())


class ExtractStep:
    """Asks a document, or parts of it, one question each; an answer holds one or several personas per relation."""

    @property
    def table(self) -> Table:
        """The table it writes."""
        return EXTRACTED_PERSONAS

    @cached_property
    def template(self) -> Template:
        """What it asks."""
        return load_template(PROMPTS / "text_to_persona.yaml")

    @property
    def mends(self) -> bool:
        """No rule looks at an answer: those of personas judge the rows."""
        return False

    @property
    def turns(self) -> tuple[Template, ...]:
        """The one turn."""
        return (self.template,)

    def variables(self, ask: Ask, before: Sequence[Json] = ()) -> dict[str, Json]:
        """The template's variables; the document is cut at a sentence end by the budget that stands in the fill."""
        fill = ask.fill
        return {
            "document": cut(ask.row["text"][fill.get("start", 0) :], fill["document_tokens"]),
            "language_name": LANGUAGE_NAMES.get(fill["language"], fill["language"]),
            "relations": fill["relations"],
            "granularity": fill["granularity"],
            "personas_per_relation": fill["personas_per_relation"],
            "forms": "\n".join(fill.get("forms", ())),
        }

    def parse(self, ask: Ask, answer: Json, before: Sequence[Json] = ()) -> Parsed:
        """One row per persona of the answer.

        Rejects: `empty`, `repeated` (the same text stands earlier in the answer), `relation_not_asked`, `too_many` (of
        one relation), `relation_missing` (asked, and not answered); of the question as a whole `nobody`, with the
        reason that the answer gives.
        """
        if not answer["personas"]:
            return Parsed(rejects=[Reject("nobody", normalise(answer.get("nobody") or "") or "no reason given")])
        parsed = Parsed()
        seen: set[str] = set()
        kept: dict[str, int] = {}
        for position, item in enumerate(answer["personas"]):
            relation, text = item["relation"], normalise(item["persona"])
            row = _row(ask, relation, text)
            reason = _refusal(ask, relation, text, seen, kept)
            seen.add(text)
            if not reason:
                kept[relation] = kept.get(relation, 0) + 1
                parsed.rows.append(row)
                continue
            row_id = row["persona_id"]
            if reason in ("empty", "repeated"):  # could have the id of what is repeated: named by its place instead
                row_id = make_id("rec", ask.question_id, position, relation, text)
            parsed.rejects.append(Reject(reason, f"{relation}: {text}", row_id))
        answered = {item["relation"] for item in answer["personas"]}
        for relation in ask.fill["relations"]:
            if relation not in answered:
                row_id = make_id("rec", ask.question_id, "relation", relation)
                parsed.rejects.append(Reject("relation_missing", f"{relation}: asked, and not answered", row_id))
        return parsed


def _refusal(ask: Ask, relation: str, text: str, seen: set[str], kept: dict[str, int]) -> str:
    """Why an item of an answer is not kept, or ""."""
    if not text:
        return "empty"
    if text in seen:
        return "repeated"
    if relation not in ask.fill["relations"]:
        return "relation_not_asked"
    if kept.get(relation, 0) >= ask.fill["personas_per_relation"]:
        return "too_many"
    return ""


def _row(ask: Ask, relation: str, text: str) -> dict[str, Any]:
    document_id, window = ask.row["document_id"], ask.fill.get("window", 0)
    return {
        "persona_id": persona_id(document_id, None, relation, text, window),
        "window": window,
        "document_id": document_id,
        "parent_persona_id": None,
        "relation": relation,
        "hop": 0,
        "text": text,
        "language": ask.fill["language"],
        "granularity": ask.fill["granularity"],
    }


def given_row(document: Mapping[str, Any]) -> dict[str, Any]:
    """The persona that a document of the kind `persona` is, without its run columns and the null ones of a call."""
    document_id, text = document["document_id"], normalise(document["text"])
    return {
        "persona_id": persona_id(document_id, None, GIVEN, text),
        "window": 0,
        "document_id": document_id,
        "parent_persona_id": None,
        "relation": GIVEN,
        "hop": 0,
        "text": text,
        "language": document["language"],
        "granularity": GIVEN,
    }


def given_outcomes(lake: Lake, shard: str) -> Iterator[Outcome]:
    """One persona, without a call, for each document of a shard that is one; they are streamed."""
    for row in _documents(lake, shard, given=True):
        yield Outcome(_ask(row, {}), None, Parsed(rows=[given_row(row)]))


def extraction_asks(context: Context, shard: str) -> Iterator[Ask]:
    """The questions about the pages of a shard, in the order of the partition; they are streamed."""
    for row in _documents(context.lake, shard, given=False):
        for fill in _fills(row, context.settings):
            yield _ask(row, fill, question_of(row["document_id"], fill))


def _documents(lake: Lake, shard: str, *, given: bool) -> Iterator[dict[str, Any]]:
    """The documents of a shard that are personas already, or those that are pages."""
    wanted = (pl.col("kind") == "persona") if given else (pl.col("kind") != "persona")
    for batch in lake.batches(RAW_DOCUMENTS, shard, columns=["document_id", "language", "text", "kind"]):
        yield from batch.filter(wanted).drop("kind").iter_rows(named=True)


def _ask(row: dict[str, Any], fill: Mapping[str, Json], question: str = "") -> Ask:
    return Ask(row, fill, 0, ((RAW_DOCUMENTS.name, row["document_id"]),), question)


def given_count(lake: Lake, shard: str) -> int:
    """How many documents of a shard are personas already."""
    kinds = lake.scan(RAW_DOCUMENTS, [shard]).select((pl.col("kind") == "persona").sum())
    return int(kinds.collect(engine="streaming").item())


def _fills(row: dict[str, Any], settings: Settings) -> Iterator[dict[str, Json]]:
    """The fill of each question about a document."""
    text = row["text"]
    if settings.windows == 1 or len(text) * 4 <= settings.document_tokens * BYTES_PER_TOKEN:
        yield _fill(row, text, settings)
        return
    parts = windows(text, settings.document_tokens)
    if len(parts) < 2:
        yield _fill(row, text, settings)
        return
    for window in drawn(row["document_id"], len(parts), settings.windows):
        start, end = parts[window]
        yield _fill(row, text[start:end] if window else text, settings) | {"window": window, "start": start}


def drawn(document_id: str, parts: int, most: int) -> list[int]:
    """Which of a document's parts are asked about, `most` of them, in their order; it hangs on the id alone."""
    ranked = sorted(range(parts), key=lambda part: make_id("qst", document_id, part))
    return sorted(ranked[:most])


def _fill(row: dict[str, Any], shown: str, settings: Settings) -> dict[str, Json]:
    """All that shapes the prompt beside the document, so that it renders again under whatever settings."""
    text = digest(shown.encode())
    return {
        "language": row["language"],
        "relations": list(settings.relations),
        "granularity": settings.granularity,
        "personas_per_relation": settings.personas_per_relation,
        "document_tokens": settings.document_tokens,
        "forms": [f"{relation} {form_of(text, relation)}" for relation in settings.relations],
    }


def extract_personas(context: Context, shard: str) -> Report:
    """Write a shard's `extracted_personas` and what was set aside.

    `inputs` are questions, documents that are personas already, and documents that were asked about in parts of which
    none gave a persona. `extra` holds `given`, the personas that came as such.

    Raises:
        PersonaAssetsError: the shard's documents are not there.
        EngineUnavailable: no answer can be had; what was answered is kept.
    """
    documents = context.lake.row_count(RAW_DOCUMENTS, shard)
    given = given_count(context.lake, shard)
    runner = StepRunner(ExtractStep(), context, shard)
    expected = documents - given if context.settings.windows == 1 else None
    asked = runner.run(lambda: extraction_asks(context, shard), expected)
    if given:
        runner.report.extra["given"] = given
    return write_outcomes(runner, chain(given_outcomes(context.lake, shard) if given else (), with_documents(asked)))


def with_documents(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes, and one more for each document that was asked about in parts of which none gave a persona.

    So a document that gives nothing is set aside as such, once. The questions about one document stand together.
    """
    for _, parts in groupby(outcomes, key=lambda outcome: outcome.ask.parent_id):
        kept, count = False, 0
        for outcome in parts:
            kept, count = kept or bool(outcome.parsed.rows), count + 1
            yield outcome
        if not kept and outcome.ask.question:
            whole = Ask(outcome.ask.row, {}, 0, outcome.ask.about)
            reject = Reject("no_persona", f"none of the {count} parts that were asked about gave one")
            yield Outcome(whole, None, Parsed(rejects=[reject]))
