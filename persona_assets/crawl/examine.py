"""What becomes of a record: its text, and what the rules and the look at its language say. A function of it alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.given import judge_persona
from persona_assets.crawl.http import Refusal
from persona_assets.crawl.items import Found, Item, Page, Record, Refused, Row, Skipped
from persona_assets.crawl.lines import filter_lines
from persona_assets.crawl.normalise import text_of
from persona_assets.crawl.page import PageText, is_html_type, response_text, text_or_html
from persona_assets.crawl.page import text_of as body_text
from persona_assets.crawl.quality import judge, language
from persona_assets.crawl.quality.damage import is_binary
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
        item = row_item(record, columns, form)
        return _out_of_html(item) if isinstance(item, Found) and item.kind == "page" else item
    if isinstance(record, Page):
        return _page_item(record, settings)
    return record


def _out_of_html(found: Found) -> Found | Refused:
    """The main text of a row whose text is HTML."""
    text = text_or_html(found.text)
    return replace(found, text=text) if isinstance(text, str) else Refused(found.offset, *text)


def _page_item(page: Page, settings: Settings) -> Found | Refused:
    limit, removed = settings.max_document_bytes, dict[str, int]()
    if page.holds == "http":
        read = response_text(page.body, limit)
    elif page.holds == "file" or is_html_type(page.content_type):
        read = body_text(page.body, page.content_type, limit)
    else:
        read, removed = _converted(page.body, lines=settings.wet_lines)
    if isinstance(read, tuple):
        return Refused(page.offset, *read)
    return Found(
        page.offset,
        page.format,
        read.text,
        page.url,
        page.record_id,
        page.fetched_at,
        charset=read.charset,
        cut=page.cut or read.cut,
        lines_removed=removed,
    )


def _converted(body: bytes, *, lines: bool) -> tuple[PageText | Refusal, dict[str, int]]:
    """The text that a page was converted to, in UTF-8, and what was taken out of it; some hold HTML all the same."""
    whole = body.decode("utf-8", "replace")
    text = text_or_html(whole)
    if not isinstance(text, str):
        return text, {}
    if text != whole or not lines or is_binary(text):
        return PageText(text), {}
    filtered = filter_lines(text)
    return PageText(filtered.text), filtered.removed


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
    detail = language(code, 1.0 if is_persona else confidence, settings)
    return Candidate(found, content, ("language", detail) if detail else None, code, confidence)
