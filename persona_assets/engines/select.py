"""The engine that the settings name."""

from persona_assets.engines.base import Engine
from persona_assets.settings import Settings


def make_engine(settings: Settings) -> Engine:
    """The engine of `settings.engine`; only its own dependencies are imported.

    Raises:
        UsageError: its settings are incomplete or malformed.

    """
    if settings.engine == "openai":
        from persona_assets.engines.openai import OpenAIEngine

        return OpenAIEngine(settings)
    from persona_assets.engines.offline import OfflineEngine

    return OfflineEngine(settings)
