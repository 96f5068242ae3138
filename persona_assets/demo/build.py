"""Writes the demo's two dumps as crawl files: WET and WARC, laid out record by record as Common Crawl does."""

import io
import uuid
from pathlib import Path
from typing import Any

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from persona_assets.demo.markup import to_html, to_text
from persona_assets.demo.pages import Page, describe, load_pages, parts_of

__all__ = ["describe", "write_dumps"]

WET_DUMP = "demo-2026-09"
WARC_DUMP = "demo-2026-10"
_NAMESPACE = uuid.UUID("6f1b0a52-3d1e-5a0c-9b7e-0c7a5be1d2a4")
_RELATED = 4
_SERVED_FROM = "192.0.2.17"  # a documentation address (RFC 5737)
_ISO_639_3 = {"en": "eng", "zh": "zho", "ru": "rus", "de": "deu", "es": "spa"}
_REASONS = {200: "200 OK", 404: "404 Not Found"}


def _record_id(*parts: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(_NAMESPACE, '/'.join(parts))}>"


class _CrawlFile:
    """One crawl file in memory. Each record is a gzip member of its own when the name ends in .gz."""

    def __init__(self, dump: str, name: str, date: str) -> None:
        self.dump, self.name = dump, name
        self.buffer = io.BytesIO()
        self.writer = WARCWriter(self.buffer, gzip=name.endswith(".gz"))
        self.last = 0
        info = f"software: persona-assets demo\r\nisPartOf: {dump}\r\ndescription: pages written for the demo\r\n"
        self.add("warcinfo", "", date, info.encode(), "application/warc-fields", {"WARC-Filename": name})

    def add(
        self,
        record_type: str,
        url: str,
        date: str,
        payload: bytes,
        content_type: str,
        headers: dict[str, str],
        http: StatusAndHeaders | None = None,
    ) -> str:
        """Append one record and return its WARC-Record-ID; `last` is where it starts in the file."""
        self.last = self.buffer.tell()
        record_id = _record_id(self.dump, self.name, record_type, url)
        first = {"WARC-Type": record_type, "WARC-Target-URI": url} if url else {"WARC-Type": record_type}
        record: Any = self.writer.create_warc_record(
            url,
            record_type,
            payload=io.BytesIO(payload),
            length=len(payload),
            warc_content_type=content_type,
            warc_headers_dict={**first, "WARC-Date": date, "WARC-Record-ID": record_id, **headers},
            http_headers=http,
        )
        self.writer.write_record(record)
        return record_id

    def clipped(self) -> bytes:
        """The file as it is after a broken transfer: the last record is cut in its middle."""
        data = self.buffer.getvalue()
        return data[: (self.last + len(data)) // 2]


def _wet_payload(page: Page) -> bytes:
    # Crawlers do pass an image off as text now and then; its bytes then show up as replacement characters.
    return (to_text(page) if page.payload is None else page.payload.decode("utf-8", "replace")).encode()


def _wet_file(dump: str, name: str, pages: list[Page]) -> bytes:
    file = _CrawlFile(dump, name, "2026-09-18T00:00:00Z")
    for page in pages:
        headers = {
            "WARC-Refers-To": _record_id(dump, name, "response", page.url),
            "WARC-Identified-Content-Language": _ISO_639_3[page.language],
        }
        file.add("conversion", page.url, page.warc_date, _wet_payload(page), "text/plain", headers)
    return file.buffer.getvalue()


def _request(page: Page) -> StatusAndHeaders:
    host, _, path = page.url.removeprefix("https://").partition("/")
    headers = [("User-Agent", "demo-crawler/1.0"), ("Accept", "text/html"), ("Host", host)]
    return StatusAndHeaders(f"GET /{path} HTTP/1.1", headers, is_http_request=True)


def _response(page: Page, payload: bytes) -> StatusAndHeaders:
    if page.payload is not None:
        content_type = "image/png"
    else:
        content_type = "text/html" if page.declared == "meta" else f"text/html; charset={page.encoding}"
    headers = [("Content-Type", content_type), ("Content-Length", str(len(payload))), ("Server", "demo")]
    return StatusAndHeaders(_REASONS[page.status], headers, protocol="HTTP/1.1")


def _related(page: Page) -> list[Page]:
    """The documents that follow `page` in its dump and language, as a sidebar would list them."""
    others = sorted(
        (
            other
            for other in load_pages()
            if (other.dump, other.language, other.trait) == (page.dump, page.language, "document")
        ),
        key=lambda other: (other.order <= page.order, other.order),
    )
    return others[:_RELATED]


def _warc_file(dump: str, name: str, pages: list[Page]) -> bytes:
    file = _CrawlFile(dump, name, "2026-10-16T00:00:00Z")
    for page in pages:
        payload = to_html(page, _related(page)) if page.payload is None else page.payload
        response_id = _record_id(dump, name, "response", page.url)
        http = "application/http; msgtype="
        headers = {"WARC-IP-Address": _SERVED_FROM, "WARC-Concurrent-To": response_id}
        file.add("request", page.url, page.warc_date, b"", http + "request", headers, _request(page))
        headers = {"WARC-IP-Address": _SERVED_FROM}
        file.add("response", page.url, page.warc_date, payload, http + "response", headers, _response(page, payload))
    return file.clipped() if pages[-1].trait == "truncated" else file.buffer.getvalue()


def _put(path: Path, data: bytes) -> None:
    """Write `data` unless the file holds it already: an unchanged time keeps sensors from seeing news."""
    if path.exists() and path.read_bytes() == data:
        return
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_bytes(data)
    aside.replace(path)


def write_dumps(folder: Path) -> list[Path]:
    """Write the two dumps under `folder` and return their files, in order.

    `demo-2026-09/` holds three WET files (two gzipped, one plain), `demo-2026-10/` three gzipped WARC files, the
    last of which is clipped inside its last record. The bytes are the same every time; a file that holds them
    already is left untouched.
    """
    contents: dict[Path, bytes] = {}
    for index, pages in enumerate(parts_of(WET_DUMP)):
        # The plain one can be read with any pager.
        name = f"{WET_DUMP}-{index:05d}.warc.wet" + ("" if index == 2 else ".gz")
        contents[folder / WET_DUMP / name] = _wet_file(WET_DUMP, name, pages)
    for index, pages in enumerate(parts_of(WARC_DUMP)):
        name = f"{WARC_DUMP}-{index:05d}.warc.gz"
        contents[folder / WARC_DUMP / name] = _warc_file(WARC_DUMP, name, pages)
    for path, data in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(path, data)
    return list(contents)
