"""The text of a fetched page: out of an HTTP response, through its encodings, to the main text of its HTML."""

from dataclasses import dataclass, replace

from persona_assets.crawl.html import has_tags, is_html, parse, starts_html
from persona_assets.crawl.http import Refusal, read_response
from persona_assets.files.foreign import foreign
from persona_assets.text.charset import decode, utf16_of

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_TEXT_TYPES = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
# An element tree takes ten to twenty times the page's size, and extraction grows faster than linearly.
MAX_HTML_BYTES = 4_000_000
_FAST_HTML_BYTES = 1_000_000  # above it the slow second opinion (readability, justext) is left out
_CONTROLS = bytes(sorted({*range(32)} - {*b"\t\n\v\f\r\x1b"}))  # what no text holds; escape switches ISO 2022 sets
_MAX_CONTROL_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page; `charset` and `cut` are columns of `raw_documents`."""

    text: str
    charset: str | None = None
    cut: str | None = None


def response_text(block: bytes, limit: int) -> PageText | Refusal:
    """Text of an HTTP response (status line, headers, body), or why there is none.

    What has no status line but begins as HTML is the answer of a server of HTTP 0.9, which sent the page alone.
    """
    response = read_response(block, limit)
    if isinstance(response, tuple):
        bare = response[0] == "bad_http_header" and starts_html(block)
        return text_of(block, "", limit) if bare else response
    text = text_of(response.body, response.headers.get("content-type", ""), limit)
    return replace(text, cut="body") if response.cut and isinstance(text, PageText) else text


def text_of(body: bytes, content_type: str, limit: int) -> PageText | Refusal:
    """Text of a body of this media type: main text of HTML, plain text as it is, nothing else.

    What is declared counts for less than what is there: HTML is extracted under any type, and text without a tag
    stays as it is under that of HTML.
    """
    if what := _binary(body):
        return "not_text", f"the payload is {what}, declared {content_type or 'nothing'!r}"
    media = _media(content_type)
    declared = media in _HTML_TYPES or starts_html(body)
    if not declared and media and media not in _TEXT_TYPES:
        return "not_text", f"media type {media[:80]!r}"
    if declared and len(body) > min(MAX_HTML_BYTES, limit):
        return "too_large", f"HTML of {len(body)} bytes, the limit is {min(MAX_HTML_BYTES, limit)}"
    decoded = decode(body, content_type)
    if isinstance(decoded, tuple):
        return decoded
    read = PageText(decoded.text, decoded.charset)
    if has_tags(read.text) if declared else is_html(read.text):
        text = main_text(read.text)
        return replace(read, text=text.text, cut=text.cut) if isinstance(text, PageText) else text
    return read


def is_html_type(content_type: str) -> bool:
    """Whether a media type is one of HTML."""
    return _media(content_type) in _HTML_TYPES


def text_or_html(text: str) -> str | Refusal:
    """A text as it is, or its main text where it is HTML and not a text that has a tag or talks of some."""
    if not is_html(text):
        return text
    found = main_text(text)
    return found.text if isinstance(found, PageText) else found


def main_text(html: str) -> PageText | Refusal:
    """Main text of an HTML page, with tables, without comments, navigation and boilerplate.

    A page that is nested too deep for the parser is read without its deepest tags, and marked as cut.
    """
    import trafilatura
    from lxml.etree import LxmlError

    if len(html) > MAX_HTML_BYTES:
        return "too_large", f"HTML of {len(html)} characters, the limit is {MAX_HTML_BYTES}"
    try:
        tree, deep = parse(html)
        fast = len(html) > _FAST_HTML_BYTES
        text = trafilatura.extract(tree, fast=fast, include_comments=False, include_tables=True)
    except (LxmlError, ValueError, TypeError, AttributeError, LookupError, AssertionError, RecursionError) as error:
        return "no_main_text", f"the extractor failed: {type(error).__name__}: {error}"
    if not text or not text.strip():
        return "no_main_text", f"no main text in {len(html)} characters of HTML"
    return PageText(str(text), cut="nesting" if deep else None)


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _binary(body: bytes) -> str | None:
    if utf16_of(body):
        return None
    if what := foreign(body[:1024]):
        return what
    head = body[:1024].lstrip()
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if not head.startswith((b"\xff\xfe", b"\xfe\xff")) and controls > _MAX_CONTROL_SHARE * len(head):
        return "binary data (control characters)"
    return None
