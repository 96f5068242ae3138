"""Crawl files made in tests, with warcio where the file is sound and by hand where it must not be."""

import gzip
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from random import Random

import polars as pl
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.documents import read_documents
from persona_assets.crawl.examine import item_of
from persona_assets.crawl.items import CrawlFile, Item
from persona_assets.crawl.readers import reading
from persona_assets.settings import Settings

EN = (
    "The old mill stands by the river, a mile below the bridge. Its wheel has not turned since the spring flood, and "
    "the miller's daughter now keeps bees in the yard. On market days she carries {0} jars of honey up the hill, sells "
    "them from a handcart, and walks home before the evening bells are rung."
)
RU = (
    "Старая мельница стоит у реки, в версте от моста. Её колесо не вертелось с весеннего паводка, и дочь мельника "
    "держит теперь во дворе пчёл. В базарный день она несёт в гору {0} банок мёда, продаёт их с тележки и до вечернего "
    "звона возвращается домой вместе с соседскими детьми."
)
ZH = (
    "老磨坊立在河边，离桥一里多路。自从春天发过大水，水轮就再也没有转动。磨坊主的女儿如今在院子里养蜂，每逢集市，"
    "她便把{0}罐蜂蜜背上山坡，用小推车卖掉，再赶在晚钟敲响之前走回家去。邻居家的孩子常常跟在她身后，帮她推车。"
)


def english(number: int) -> str:
    """An English page that is near no other: its words in another order."""
    words = EN.format(number).split()
    return " ".join(Random(number).sample(words, len(words)))


def html(text: str, charset: str = "utf-8") -> bytes:
    page = (
        f'<html><head><meta charset="{charset}"><title>A page</title></head><body><nav>Home About</nav>'
        f"<article><h1>The mill</h1><p>{text}</p></article></body></html>"
    )
    return page.encode(charset)


class WarcMaker:
    """Collects records and gives the file's bytes."""

    def __init__(self, *, gz: bool = False) -> None:
        self.buffer = BytesIO()
        self.writer = WARCWriter(self.buffer, gzip=gz)
        self.offsets: list[int] = []

    def response(
        self, url: str, body: bytes, content_type: str = "text/html", status: str = "200 OK", **headers: str
    ) -> "WarcMaker":
        fields = [("Content-Type", content_type)] if content_type else []
        fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
        http = StatusAndHeaders(status, fields, protocol="HTTP/1.1")
        return self._write(self.writer.create_warc_record(url, "response", payload=BytesIO(body), http_headers=http))

    def conversion(self, url: str, text: str | bytes) -> "WarcMaker":
        body = text.encode() if isinstance(text, str) else text
        dated = {"WARC-Date": "2024-05-18T01:58:10Z"}
        record = self.writer.create_warc_record(
            url, "conversion", payload=BytesIO(body), warc_content_type="text/plain", warc_headers_dict=dated
        )
        return self._write(record)

    def other(self, kind: str, body: bytes = b"software: test\r\n") -> "WarcMaker":
        body = b"GET / HTTP/1.1\r\n\r\n" if kind == "request" else body
        return self._write(self.writer.create_warc_record("http://a.example/", kind, payload=BytesIO(body)))

    def _write(self, record: object) -> "WarcMaker":
        self.offsets.append(self.buffer.tell())
        self.writer.write_record(record)
        return self

    @property
    def bytes(self) -> bytes:
        return self.buffer.getvalue()


class Read:
    """The outcome of reading files: two frames and the number of skipped records."""

    def __init__(self, files: Sequence[CrawlFile], settings: Settings) -> None:
        batches = list(read_documents(files, "d", settings))
        self.documents = pl.concat([batch.documents for batch in batches]) if batches else pl.DataFrame()
        self.rejects = pl.concat([batch.rejects for batch in batches]) if batches else pl.DataFrame()
        self.skipped = sum((batch.skipped for batch in batches), Counter[str]()).total()
        self.batches = batches

    @property
    def urls(self) -> list[str]:
        return self.documents["url"].to_list()

    @property
    def reasons(self) -> list[str]:
        return self.rejects["reason"].to_list()


def items_of(file: CrawlFile, settings: Settings) -> list[Item]:
    """What every record of a file holds."""
    columns = ColumnReader(settings.column_map)
    with reading(file, settings) as source:
        return [item_of(record, source.layout, columns, settings) for record in source.records]


ReadBytes = Callable[..., Read]


@pytest.fixture
def read(tmp_path: Path) -> ReadBytes:
    """Reads bytes as a crawl file of a name that says nothing."""

    def read_bytes(data: bytes, settings: Settings | None = None) -> Read:
        path = tmp_path / "file"
        path.write_bytes(data)
        return Read([CrawlFile(path, "file")], settings or Settings())

    return read_bytes


@pytest.fixture
def wet() -> bytes:
    """A warcinfo and three documents in three languages."""
    maker = WarcMaker().other("warcinfo")
    for name, text in (("en", EN), ("ru", RU), ("zh", ZH)):
        maker.conversion(f"http://{name}.example/", text.format(7))
    return maker.bytes


def gz_members(*parts: bytes) -> bytes:
    return b"".join(gzip.compress(part, mtime=0) for part in parts)
