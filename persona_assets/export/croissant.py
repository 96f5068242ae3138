"""Croissant metadata of an exported folder: JSON-LD by which tools know its files and columns (format 1.0)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from persona_assets.ids import Json

FILE = "croissant.json"
_TYPES: dict[object, str] = {
    pl.String: "sc:Text",
    pl.Boolean: "sc:Boolean",
    pl.Int8: "sc:Integer",
    pl.Int32: "sc:Integer",
    pl.Int64: "sc:Integer",
    pl.Float32: "sc:Float",
    pl.Float64: "sc:Float",
}
_CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "column": "cr:column",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "recordSet": "cr:recordSet",
    "repeated": "cr:repeated",
    "source": "cr:source",
    "subField": "cr:subField",
}


def croissant(
    folder: Path, name: str, described: str, licence: str, languages: list[str], origin: str
) -> dict[str, Json]:
    """The metadata of the Parquet files under `data/`: each with its digest, and a set of records for each.

    Files are read once for their digests. `origin` is the digest of what the folder was made from.
    """
    files = sorted((folder / "data").glob("*.parquet"))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "identifier": origin,
        "description": described,
        "license": licence,
        "inLanguage": languages,
        "distribution": [_file(folder, file) for file in files],
        "recordSet": [_records(file) for file in files],
    }


def made_from(folder: Path) -> str:
    """The digest of what a folder was made from; empty where it is no exported one."""
    try:
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(about.get("identifier", "")) if isinstance(about, Mapping) else ""


def sha256_of(file: Path) -> str:
    """The digest of a file, in hexadecimal digits."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _file(folder: Path, file: Path) -> dict[str, Json]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.relative_to(folder).as_posix(),
        "contentSize": f"{file.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_of(file),
    }


def _records(file: Path) -> dict[str, Json]:
    split = file.stem
    columns: Mapping[str, pl.DataType] = pl.read_parquet_schema(file)
    fields = [_field(f"{split}/{name}", name, dtype, file.name) for name, dtype in columns.items()]
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "field": fields}


def _field(place: str, name: str, dtype: pl.DataType, file: str) -> dict[str, Json]:
    """A column. What is nested is told as text, as Croissant has no word for lists of records."""
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    return {
        "@type": "cr:Field",
        "@id": place,
        "name": name,
        "dataType": _TYPES.get(type(inner), "sc:Text"),
        "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
        **({"repeated": True} if isinstance(dtype, pl.List) else {}),
    }
