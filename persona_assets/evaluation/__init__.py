"""Answers and scores of models as grades, grades as figures with intervals, and how these are shown."""
