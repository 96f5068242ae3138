"""Rules: what keeps a document, a persona or a sample out, and why."""

from persona_assets.rules.registry import Rule, rule
from persona_assets.rules.sample import Sample

__all__ = ["Rule", "Sample", "rule"]
