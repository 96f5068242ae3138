"""Questionnaires about oneself: what a file declares, and what answers to it come to. Asks no model itself."""
