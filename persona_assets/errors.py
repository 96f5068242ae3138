"""The errors that a person can act on. The command line prints them as one line and exits with 1 or 2."""


class PersonaAssetsError(Exception):
    """A failure with a remedy in its message; exit code 1."""


class UsageError(PersonaAssetsError):
    """Wrong settings, arguments or file names; exit code 2."""
