"""Trains models: a job is plain data, a child process trains it, and what it left stands whole or is gone on with."""

# What shapes rows, within this package: what a recipe is read by, what reads benchmarks, and what a mix is made by.
RECIPE = ("engines.weights", "prompts.load", "tasks.values", "training.job", "training.recipe")
BENCHMARKS = ("contamination.items", "files.bytestream", "files.detect", "files.open", "files.rows")
MIX = (
    *RECIPE,
    *BENCHMARKS,
    *("contamination.form", "contamination.grams", "contamination.index", "contamination.words", "draws"),
    *("tasks.split", "text.near", "text.token_hashes", "text.tokens"),
    *("training.base", "training.faults", "training.found", "training.mix", "training.pieces"),
)
