"""Trains models: a job is plain data, a child process trains it, and what it left stands whole or is gone on with."""

from persona_assets.files import READING

# What shapes rows, within this package: what a recipe is read by, what reads benchmarks, what checks answers, and what
# a mix is made by.
RECIPE = ("engines.weights", "prompts.load", "tasks.values", "training.job", "training.recipe")
BENCHMARKS = ("contamination.items", "files.rows", *READING)
CHECKERS = (
    *("constraints.blocks", "constraints.check_format", "constraints.check_length", "constraints.check_words"),
    *("constraints.checked", "constraints.checkers", "constraints.constraint", "constraints.kinds"),
    *("constraints.sentences", "constraints.words", "text.language"),
)
MIX = (
    *RECIPE,
    *BENCHMARKS,
    *CHECKERS,
    *("contamination.form", "contamination.grams", "contamination.index", "contamination.words", "draws"),
    *("tasks.split", "text.near", "text.token_hashes", "text.tokens"),
    *("training.base", "training.faults", "training.found", "training.mix", "training.pieces"),
)
