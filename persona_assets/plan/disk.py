"""Bytes on disk per row and per call, of all that stands in the lake."""

import re

from persona_assets.lake import Lake
from persona_assets.lake.schemas import CALLS, CONTENT_DIGESTS, PERSONA_SURVIVORS, RAW_DOCUMENTS

ROW_BYTES, CALL_BYTES = 300.0, 300.0  # where there is nothing to go by
_OF_DUMPS = ("embeddings", "segments", "seals")  # what dedup keeps beside its table
_RECORD = re.compile(r"(?:_commits/)?(?:rejected/asset=|check_results/partition=)?([^/.]+)")


class DiskUse:
    """Bytes by asset: its table, rejects, check results and commit records, and for dedup its vectors and segments."""

    def __init__(self, lake: Lake) -> None:
        """List the lake's files once."""
        self._bytes: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        root = lake.root.rstrip("/") + "/"
        for path, info in lake.fs.find(lake.root, detail=True).items():
            below = path.removeprefix(root)
            if below.startswith(f"{CALLS.name}/"):
                template = below.split("/")[1].removeprefix("template=")
                self._calls[template] = self._calls.get(template, 0) + int(info["size"])
            elif found := _RECORD.match(below):
                asset = _asset_of(found.group(1))
                self._bytes[asset] = self._bytes.get(asset, 0) + int(info["size"])

    def per_row(self, asset: str, rows: int) -> float:
        """Bytes per row of an asset that has `rows` now."""
        return self._bytes.get(asset, 0) / rows if rows else ROW_BYTES

    def per_call(self, template: str, calls: int) -> float:
        """Bytes per call of a template that has `calls` now."""
        return self._calls.get(template, 0) / calls if calls else CALL_BYTES


def _asset_of(name: str) -> str:
    if name in _OF_DUMPS:
        return PERSONA_SURVIVORS.name
    return RAW_DOCUMENTS.name if name == CONTENT_DIGESTS.name else name
