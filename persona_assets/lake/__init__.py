"""Atomic Parquet partitions, their schemas, and the DuckDB catalogue over them."""

from persona_assets.lake.schemas import Column, Parent, Table
from persona_assets.lake.store import Lake, PartitionWriter

__all__ = ["Column", "Lake", "Parent", "PartitionWriter", "Table"]
