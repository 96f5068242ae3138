"""Constraints on an answer that a program can verify: drawn, worded, checked, and met by a text."""
