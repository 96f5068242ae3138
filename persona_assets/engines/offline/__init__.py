"""The offline engine: deterministic answers without a model, a network or a key.

It reads the rendered prompt by its sections, finds keyphrases and an occupation in it, and fills the phrases that stand
in the template's `offline` block. It is for trying the pipeline and for tests; its text is not training data.
"""

from persona_assets.engines.offline.engine import OfflineEngine

__all__ = ["OfflineEngine"]
