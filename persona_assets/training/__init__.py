"""Trains models: a job is plain data, a child process trains it, and what it left stands whole or is gone on with."""
