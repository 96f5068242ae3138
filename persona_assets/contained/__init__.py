"""Runs Python programs that nobody has read, contained: `pool.Contained` runs them, `mechanism.containment` says how.

Imports nothing: the fork server comes through here, and has neither our dependencies nor threads.
"""

# What a function that runs programs is shaped by, by the names of modules: all of this package.
MODULES = (
    *("contained.inside", "contained.inside.child", "contained.inside.kernel", "contained.inside.landlock"),
    *("contained.inside.seccomp", "contained.inside.server", "contained.mechanism", "contained.monty"),
    *("contained.pool", "contained.process", "contained.programs"),
)
