"""The engine that the settings name."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from persona_assets.engines.base import Engine, ModelIdentity, Request, Result
from persona_assets.prompts import Template
from persona_assets.settings import Settings


class DeferredEngine:
    """The engine that the settings name, made when the first hop asks for it: most steps ask no model anything."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is imported, checked or connected yet."""
        self.settings = settings

    @cached_property
    def engine(self) -> Engine:
        """The engine itself; raises UsageError where its settings are incomplete."""
        return make_engine(self.settings)

    def identity(self, template: Template) -> ModelIdentity:
        """The model that would answer."""
        return self.engine.identity(template)

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests."""
        return self.engine.stream(requests)

    def close(self) -> None:
        """Release what was made, if anything was."""
        if "engine" in self.__dict__:
            self.engine.close()


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
