"""Generating steps: what is asked, by one runner, and what became of it."""
