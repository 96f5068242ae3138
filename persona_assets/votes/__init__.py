"""Votes on the answer to a problem: answers in plain form, ballots, and what most of them say."""
