"""Answers to maths problems: found in a solution, read as exact values, and compared."""
