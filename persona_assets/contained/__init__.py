"""Runs Python programs that nobody has read, contained: `pool.Contained` runs them, `mechanism.containment` says how.

Imports nothing: the fork server comes through here, and has neither our dependencies nor threads.
"""
