"""HTML files and plain text files: the whole file is one page."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal

from persona_assets.files.foreign import foreign
from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.open import Opened
from persona_assets.files.records import Page, Records, Refused, break_between

# A document type or one of the first elements of a page, behind what may stand before it. A wide page's head in UTF-16
# holds zero bytes between its letters.
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--[^>]{0,2000}-->\s*){0,4}<(?:!doctype\s+html|html|head|body)\b", re.I
)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_TYPES = {"html": "text/html", "text": "text/plain"}


def _recognise_html(endings: tuple[str, ...], head: Head) -> Sure:
    data = head.data
    for bom in _BOMS:
        data = data.removeprefix(bom)
    if _HTML.match(data.replace(b"\0", b"")[:8192]):
        return Sure.CONTENT
    return _recognise_text(endings, head)


def _recognise_text(endings: tuple[str, ...], head: Head) -> Sure:
    return Sure.NAME if head.ending in endings and head.data.strip() and not foreign(head.data) else Sure.NO


def _read(name: Literal["html", "text"], opened: Opened, limit: int, columns: Sequence[str] | None = None) -> Records:
    stream = opened.stream
    if stream.ensure(limit + 1):
        size = stream.skip(1 << 62)
        yield Refused(0, "too_large", f"a file of {size} bytes, the limit is {limit}")
    else:
        # Of a damaged file what stands before the damage is a page that is cut.
        yield Page(0, stream.take(limit), "file", name, _TYPES[name], cut="body" if stream.broken else None)
    while True:
        yield from break_between(stream)
        if not stream.resume():
            return
        stream.skip(1 << 62)


_HTML_ENDINGS, _TEXT_ENDINGS = ("html", "htm", "xhtml"), ("txt", "text", "md", "markdown")
FORMATS = (
    Format("html", "pages", partial(_recognise_html, _HTML_ENDINGS), partial(_read, "html"), _HTML_ENDINGS),
    Format("text", "pages", partial(_recognise_text, _TEXT_ENDINGS), partial(_read, "text"), _TEXT_ENDINGS),
)
