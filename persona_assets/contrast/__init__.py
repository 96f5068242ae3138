"""Whether the two answers of a pair show two manners and state the same truth: checks that need no judge."""

from persona_assets.contrast.reasons import REASONS, alike_reasons, pair_checks, pair_reasons

__all__ = ["REASONS", "alike_reasons", "pair_checks", "pair_reasons"]
