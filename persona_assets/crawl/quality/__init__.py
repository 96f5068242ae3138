"""Quality rules of documents: each is a pure function that gives None to keep a text, or what it saw.

Thresholds are the arguments after the settings; `PERSONA_QUALITY` sets them.
"""

from persona_assets.crawl.quality.verdict import check, judge, language

__all__ = ["check", "judge", "language"]
