"""Trains models: a job is plain data, a child process trains it, and what it left stands whole or is gone on with."""

# What a recipe is read by, within this package.
MODULES = ("engines.weights", "prompts.load", "tasks.values", "training.job", "training.recipe")
