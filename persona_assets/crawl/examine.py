"""What becomes of a record: its text, and what the rules and the look at its language say. A function of it alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.given import judge_persona
from persona_assets.crawl.items import Found, Item, Page, Record, Refused, Row, Skipped
from persona_assets.crawl.normalise import text_of
from persona_assets.crawl.page import response_text
from persona_assets.crawl.page import text_of as body_text
from persona_assets.crawl.quality import judge, language
from persona_assets.crawl.tabular import row_item
from persona_assets.ids import digest
from persona_assets.settings import Settings
from persona_assets.text.language import identify
from persona_assets.text.short import identify_short


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that was read, its text normalised, and why it is refused, as (reason, detail), if it is."""

    found: Found
    content_digest: str
    verdict: tuple[str, str] | None
    language: str = ""
    confidence: float = 0.0


Examined = Candidate | Refused | Skipped


def item_of(record: Record, form: str, columns: ColumnReader, settings: Settings) -> Item:
    """What a record holds."""
    if isinstance(record, Row):
        return row_item(record, columns, form)
    if isinstance(record, Page):
        return _page_item(record, settings)
    return record


def _page_item(page: Page, settings: Settings) -> Item:
    limit = settings.max_document_bytes
    if page.holds == "text":
        text: str | tuple[str, str] = page.body.decode("utf-8", "replace")
    elif page.holds == "file":
        text = body_text(page.body, page.content_type, limit)
    else:
        text = response_text(page.body, limit)
    if isinstance(text, tuple):
        return Refused(page.offset, *text)
    return Found(page.offset, page.format, text, page.url, page.record_id, page.fetched_at, cut=page.cut)


def examine(records: Sequence[Record], form: str, settings: Settings) -> list[Examined]:
    """What becomes of records of a file in a format, in order.

    Raises:
        UsageError: the column map of the settings is wrong.
    """
    columns = ColumnReader(settings.column_map)
    examined: list[Examined] = []
    for record in records:
        item = item_of(record, form, columns, settings)
        examined.append(_candidate(item, settings) if isinstance(item, Found) else item)
    return examined


def _candidate(found: Found, settings: Settings) -> Candidate:
    text, is_persona = text_of(found), found.kind == "persona"
    found = replace(found, text=text)
    content = digest(text.encode("utf-8"))
    verdict = judge_persona(text, settings) if is_persona else judge(text, settings)
    if verdict:
        return Candidate(found, content, verdict)
    # A persona is too short for what tells the language of a page.
    [(code, confidence)] = identify_short([text]) if is_persona else identify([text])
    detail = language(code, settings)
    return Candidate(found, content, ("language", detail) if detail else None, code, confidence)
