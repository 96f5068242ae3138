"""Writes datasets as folders that training tools read."""
