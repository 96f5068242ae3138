"""Records of crawl files of every format (`files.formats`, packages) to documents, and how new files become shards."""

from persona_assets.crawl.items import Found, Refused, Skipped

__all__ = ["VERSION", "Found", "Refused", "Skipped"]

VERSION = 2  # of what is read of the same bytes
