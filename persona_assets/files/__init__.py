"""Compression and format of any file, by content."""

from pathlib import Path

# What shapes the records of a file, within this package: for recipes. The formats are those that are there.
READING = (
    *("files.bytestream", "files.foreign", "files.formats", "files.headers", "files.json_values", "files.lines"),
    *("files.open", "files.records", "text.charset", "text.charset_labels", "text.mojibake"),
    *sorted(f"files.formats.{path.stem}" for path in Path(__file__).with_name("formats").glob("[!_]*.py")),
)
