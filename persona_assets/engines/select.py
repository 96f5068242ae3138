"""The engine that the settings name."""

from pydantic import SecretStr

from persona_assets.engines.base import Engine, ModelIdentity
from persona_assets.engines.weights import local_revision
from persona_assets.ids import canonical_json
from persona_assets.lake import Lake
from persona_assets.plugins import installed, loaded
from persona_assets.prompts import Template
from persona_assets.settings import OF_A_MODEL, SAMPLING, Settings

# Settings that shape calls and not the engine: steps that differ in them alone share one.
OF_A_CALL = SAMPLING | {"tokenizer", "price_in", "price_out", "extra_body", "drop_fields"}

LOCAL = frozenset({"vllm", "transformers"})  # engines that run the model themselves: a folder's digest is its revision


class Engines:
    """The engines of one process, each made when a step first asks for it and kept for the next one."""

    def __init__(self, lake: Lake | None = None) -> None:
        """Nothing is imported, checked or connected yet; `lake` is where an engine may keep records of its own."""
        self.lake = lake
        self._made: dict[tuple[SecretStr, bytes], Engine] = {}

    def of(self, settings: Settings) -> Engine:
        """The engine of a step's settings; the same one for the same settings of the model.

        Raises:
            UsageError: its settings are incomplete or malformed.
        """
        own = settings.model_dump(mode="json", include=set(OF_A_MODEL - OF_A_CALL))
        key = (settings.api_key, canonical_json(own))
        if key not in self._made:
            if settings.engine == "vllm":
                self.close()  # another model would find no room on the GPU
            self._made[key] = make_engine(settings, self.lake)
        return self._made[key]

    def close(self) -> None:
        """Release connections, threads and memory of all that were made."""
        for engine in self._made.values():
            engine.close()
        self._made.clear()


def identity_of(settings: Settings, template: Template) -> ModelIdentity:
    """The `identity` of the engine that `make_engine` makes, without the engine: nothing is checked or started."""
    if settings.engine == "offline":
        from persona_assets.engines.offline import OfflineEngine

        return OfflineEngine(settings).identity(template)
    if settings.engine in installed("engines"):
        return make_engine(settings).identity(template)
    revision = local_revision(settings) if settings.engine in LOCAL else settings.model_revision
    return ModelIdentity(settings.model, revision)


def make_engine(settings: Settings, lake: Lake | None = None) -> Engine:
    """The engine of `settings.engine`; only its own dependencies are imported.

    That of another package is what its entry point names, called with the settings.

    Raises:
        UsageError: its settings are incomplete or malformed, or its package cannot be imported.
    """
    if settings.engine in installed("engines"):
        engine: Engine = loaded(installed("engines")[settings.engine])(settings)
        return engine
    if settings.engine == "openai" and settings.batch:
        from persona_assets.engines.openai.batch import BatchEngine

        return BatchEngine(settings, lake or Lake(settings.lake))
    if settings.engine == "openai":
        from persona_assets.engines.openai.engine import OpenAIEngine

        return OpenAIEngine(settings)
    if settings.engine == "vllm":
        from persona_assets.engines.vllm.engine import VllmEngine

        return VllmEngine(settings)
    if settings.engine == "transformers":
        from persona_assets.engines.transformers_engine.engine import TransformersEngine

        return TransformersEngine(settings)
    from persona_assets.engines.offline import OfflineEngine

    return OfflineEngine(settings)
