"""What can go wrong in a training, as the child says it and as our side raises it."""

from typing import Literal, get_args

from persona_assets.errors import PersonaAssetsError

Reason = Literal[
    "nan",
    "disk_full",
    "out_of_memory",
    "base_not_found",
    "bad_base",
    "bad_batch",
    "no_chat_template",
    "all_too_long",
    "empty",
    "crashed",
]
REASONS = get_args(Reason)


class TrainingFailed(PersonaAssetsError):
    """A training that gave no model; `reason` says in a word why, the message what to do about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.reason = reason
