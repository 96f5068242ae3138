"""Judges: models that rate rows by a written rubric, and what their verdicts are worth."""
