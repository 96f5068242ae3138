"""Answers and scores of models as grades, grades as figures with intervals, and how these are shown."""

# What shapes a grade, within this package.
MODULES = (
    *("constraints.blocks", "constraints.check_format", "constraints.check_length", "constraints.check_words"),
    *("constraints.checked", "constraints.checkers", "constraints.constraint", "constraints.kinds"),
    *("constraints.sentences", "constraints.words", "evaluation.grades", "evaluation.grading", "maths.compare"),
    *("maths.numbers", "maths.solution", "maths.words", "maths.worker", "text.language"),
)
