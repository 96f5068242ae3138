"""Crawl files (WARC, WET, JSONL, Parquet) to documents, and how new files become shards."""
