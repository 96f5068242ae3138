"""Every setting of the project, read from `PERSONA_*` environment variables into one typed object."""

import difflib
import os
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from persona_assets.errors import UsageError

PREFIX = "PERSONA_"
DocumentRelation = Literal["read", "write", "like", "dislike"]


class Settings(BaseSettings):
    """One field per `PERSONA_<NAME>` variable; lists are comma separated."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # Places
    lake: str = Field("lake", description="Folder or URL where every table is kept")
    dumps: str = Field("dumps", description="Folder that holds one folder of crawl files per dump")
    tasks: str | None = Field(None, description="Folder of further task files (YAML), each one becomes an asset")

    # Who answers
    engine: Literal["offline", "openai"] = Field("offline", description="Who answers the prompts")
    model: str = Field("", description="Model name at the server (engine openai)")
    model_revision: str = Field("", description="Model revision, part of a call's key")
    base_url: str = Field("http://127.0.0.1:8000/v1", description="OpenAI-compatible server (engine openai)")
    api_key: SecretStr = Field(SecretStr(""), description="Key for that server; never stored or logged")
    concurrency: int = Field(64, ge=1, description="Requests in flight at once (engine openai)")
    timeout_s: float = Field(120.0, gt=0, description="Seconds one request may take (engine openai)")
    max_retries: int = Field(6, ge=0, description="Times a request is tried again after a passing fault")
    temperature: float = Field(0.7, ge=0, le=2, description="Sampling temperature (Persona Hub's scripts: 0.6-0.7)")
    top_p: float = Field(0.95, gt=0, le=1, description="Nucleus sampling (Persona Hub's scripts: 0.95)")
    max_tokens: int = Field(2048, ge=1, description="Answer length in tokens (Persona Hub's scripts: 2048)")
    seed: int = Field(0, description="Sampling seed, part of a call's key")
    price_in: float = Field(0.0, ge=0, description="Money per million input tokens")
    price_out: float = Field(0.0, ge=0, description="Money per million output tokens")

    # Arrival
    files_per_shard: int = Field(8, ge=1, description="Crawl files grouped into one shard")
    settle_s: float = Field(60.0, ge=0, description="Seconds a file must not have grown before it is taken")
    max_shards_per_tick: int = Field(50, ge=1, description="Shards the sensor adds in one tick")

    # Reading
    min_characters: int = Field(200, ge=1, description="Documents shorter than this are rejected")
    max_document_bytes: int = Field(20_000_000, ge=1000, description="Records larger than this are rejected")
    columns: str | None = Field(None, description="Column map for other JSONL/Parquet, as text=body,url=link")

    # Personas
    relations: Annotated[tuple[DocumentRelation, ...], NoDecode] = Field(
        ("read", "write"), description="Which personas to ask of a document: read, write, like, dislike"
    )
    granularity: Literal["coarse", "fine"] = Field("fine", description="How specific a persona is")
    personas_per_relation: int = Field(1, ge=1, le=5, description="Personas asked for per document and relation")
    document_tokens: int = Field(1500, ge=50, description="Tokens of a document that go into a prompt")
    hops: int = Field(2, ge=0, le=6, description="Persona-to-persona hops (the paper: six)")
    fanout: Annotated[tuple[int, ...], NoDecode] = Field(
        (2, 1),
        description="Relations followed per persona at hop 1, 2, ...; the last value holds for the rest",
    )
    max_expanded_per_seed: int = Field(12, ge=0, description="Cap on related personas per extracted persona")

    # Filter and dedup
    min_relatedness: float = Field(0.05, ge=-1, le=1, description="Cosine to its parent below which a persona goes")
    lexical_threshold: float = Field(0.9, gt=0, le=1, description="Jaccard on 1-grams (paper section 2.3)")
    semantic_threshold: float = Field(0.9, gt=0, le=1, description="Cosine of embeddings (paper section 2.3)")
    semantic: bool = Field(True, description="Whether personas are also compared by their embeddings")
    dedup_strategy: Literal["auto", "exact", "minhash", "paper"] = Field(
        "auto",
        description="How lexical near-duplicates are found: exact, minhash (verified), or paper (MinHash estimates "
        "decide, section 2.3); auto: exact from a threshold of 0.8, else minhash",
    )
    minhash_recall: float = Field(0.99, gt=0, lt=1, description="Recall at the threshold that MinHash bands have")
    memory_limit_mb: int = Field(2048, ge=1024, description="Memory that dedup may take, in MiB")
    encoder: str = Field("", description="sentence-transformers model; empty: the packaged all-MiniLM-L6-v2")
    max_unknown_share: float = Field(0.2, ge=0, le=1, description="[UNK] share above which rows are not encoded")

    # Checks
    max_reject_rate: float = Field(0.6, ge=0, le=1, description="Reject rate above which a partition is blocked")
    max_parse_failure_rate: float = Field(0.1, ge=0, le=1, description="Parse failures above which it is blocked")
    languages: Annotated[tuple[str, ...], NoDecode] = Field(
        ("en", "zh", "ru"), description="Languages kept; other documents are rejected"
    )
    min_language_share: float = Field(
        0.5, ge=0, le=1, description="Share of input in these languages below which a shard is blocked"
    )

    @field_validator("relations", "languages", "fanout", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("relations", "languages", "fanout")
    @classmethod
    def _not_empty(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value:
            raise ValueError("needs at least one value")
        return value

    @property
    def column_map(self) -> dict[str, str]:
        """`columns` as a dictionary from our column to theirs."""
        if not self.columns:
            return {}
        pairs = [pair.partition("=") for pair in self.columns.split(",")]
        if any(not (ours.strip() and theirs.strip()) for ours, _, theirs in pairs):
            raise UsageError(f"PERSONA_COLUMNS={self.columns!r} is not of the form text=body,url=link")
        return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _unknown_variables() -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment.

    Raises:
        UsageError: a `PERSONA_*` variable is unknown (the nearest name is suggested) or ill typed.
    """
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in _unknown_variables():
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise UsageError(f"unknown setting {name}{hint} (known: {', '.join(known)})")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise UsageError(f"{name}: {first['msg']} (got {first['input']!r})") from error
