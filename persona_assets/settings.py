"""Every setting of the project, read from `PERSONA_*` environment variables into one typed object."""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.plugins import installed

PREFIX = "PERSONA_"
ENGINES = ("offline", "openai", "transformers", "vllm")  # those of this package
SAMPLING = frozenset({"temperature", "top_p", "max_tokens", "seed"})
# Fields of a request that are the program's own, so that `extra_body` may not hold them.
OWN_FIELDS = SAMPLING | {"model", "messages", "response_format", "stream", "n"}
# The paper's six tasks: what a run makes where nobody says otherwise.
DATASETS = ("math_problems", "logic_problems", "instructions", "knowledge_texts", "game_npcs", "tool_definitions")
Share = Annotated[float, Field(ge=0, le=1)]
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
DocumentRelation = Literal["read", "write", "like", "dislike"]
SamplingField = Literal["temperature", "top_p", "max_tokens", "seed"]
# What a model of the file PERSONA_MODELS may set for the assets that it answers.
OF_A_MODEL = frozenset(
    {
        *("engine", "model", "model_revision", "tokenizer", "price_in", "price_out"),
        *("temperature", "top_p", "max_tokens", "seed"),
        *("extra_body", "drop_fields", "rename_fields", "headers", "query"),
        *("base_url", "concurrency", "timeout_s", "connect_timeout_s", "read_timeout_s", "max_retries"),
        *("requests_per_minute", "tokens_per_minute", "batch", "batch_poll_s", "batch_requests"),
        *("tensor_parallel", "data_parallel", "gpu_memory", "max_model_len", "vllm_options", "stall_s"),
        "transformers_batch",
    }
)


class ModelTable(BaseModel):
    """The file PERSONA_MODELS: settings by model, and the model of each asset."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    models: dict[str, dict[str, Any]]
    assets: dict[str, str] = Field(default_factory=dict)


# Assets that a setting may shape, by a word for all of them.
WORDS = {
    "asking": "every asset that asks a model",
    "tasks": "every task",
    "modes": "every task that has modes",
    "params": "every task that has parameters",
    "attempts": "every task about single rows",
    "shares": "every task about single rows",
    "selected": "every task about personas, or about what came from some",
    "systems": "every task",
    "judged": "what judges rows",
    "compared": "what compares rows",
    "judge_calibration": "what judges known texts",
    "judge_standing": "what that comes to",
    "benchmarks": "every task whose rows hold texts",
}


def shapes(*assets: str) -> JsonDict:
    """Declares whose rows a field's value shapes: assets by name, or what `WORDS` names.

    A field that shapes no rows says so: `shapes()`. What stands here is in the recipe of these assets (`graph`).
    """
    return {"shapes": list(assets)}


class _Variables(PydanticBaseSettingsSource):
    """The variables as they stand: a field reads its text by itself.

    The library's own source works out anew for each field, each time, how it is to be read, and that takes longer than
    all else.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """The text of one variable."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, str]:
        """The text of each variable that is set, by the name of its field."""
        texts = {name.lower(): text for name, text in os.environ.items()}
        fields = {name: PREFIX.lower() + name for name in self.settings_cls.model_fields}
        return {name: texts[variable] for name, variable in fields.items() if variable in texts}


class Settings(BaseSettings):
    """One field per `PERSONA_<NAME>` variable; lists are comma separated. Each declares whose rows it shapes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # Places
    lake: str = Field("lake", description="Folder or URL where every table is kept", json_schema_extra=shapes())
    dumps: str = Field(
        "dumps", description="Folder that holds one folder of crawl files per dump", json_schema_extra=shapes()
    )
    tasks: str | None = Field(
        None,
        description="Folder of further task files: each YAML file, and each function declared in a Python file, is "
        "an asset",
        json_schema_extra=shapes(),
    )
    views: str | None = Field(
        None,
        description="Folder of views, YAML files that say which rows of a dataset are wanted: each is an asset",
        json_schema_extra=shapes(),
    )

    measured: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Tasks whose quality is an asset, or all: near-duplicates, diversity and coverage, held to limits",
        json_schema_extra=shapes(),
    )

    # Who answers
    engine: str = Field(
        "offline",
        description="Who answers the prompts: offline, openai, transformers, vllm, or that of another package",
        json_schema_extra=shapes("asking"),
    )
    models: str | None = Field(
        None,
        description="YAML file of further models, each with settings of its own, and of the assets that they answer",
        json_schema_extra=shapes("asking"),
    )
    model: str = Field(
        "",
        description="Model name at the server (openai), or its name or folder (vllm, transformers)",
        json_schema_extra=shapes("asking"),
    )
    model_revision: str = Field(
        "", description="Model revision, part of a call's key", json_schema_extra=shapes("asking")
    )
    tokenizer: str = Field(
        "", description="The model's tokenizer (folder or tokenizer.json), for `plan`", json_schema_extra=shapes()
    )
    price_in: float = Field(0.0, ge=0, description="Money per million input tokens", json_schema_extra=shapes())
    price_out: float = Field(0.0, ge=0, description="Money per million output tokens", json_schema_extra=shapes())
    temperature: float = Field(
        0.7,
        ge=0,
        le=2,
        description="Sampling temperature (Persona Hub's scripts: 0.6-0.7)",
        json_schema_extra=shapes("asking"),
    )
    top_p: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Nucleus sampling (Persona Hub's scripts: 0.95)",
        json_schema_extra=shapes("asking"),
    )
    max_tokens: int = Field(
        2048,
        ge=1,
        description="Answer length in tokens (Persona Hub's scripts: 2048)",
        json_schema_extra=shapes("asking"),
    )
    seed: int = Field(0, description="Sampling seed, part of a call's key", json_schema_extra=shapes("asking"))

    # The engine openai
    base_url: str = Field(
        "http://127.0.0.1:8000/v1",
        description="OpenAI-compatible server, or several, comma separated",
        json_schema_extra=shapes(),
    )
    api_key: SecretStr = Field(
        SecretStr(""), description="Key for that server; never stored or logged", json_schema_extra=shapes()
    )
    extra_body: Annotated[dict[str, Any], NoDecode] = Field(
        {},
        description='Further fields of every request, as reasoning_effort=low or a JSON object, {"top_k": 20}',
        json_schema_extra=shapes("asking"),
    )
    drop_fields: Annotated[tuple[SamplingField, ...], NoDecode] = Field(
        (),
        description="Fields that are not sent: temperature, top_p, max_tokens, seed",
        json_schema_extra=shapes("asking"),
    )
    rename_fields: Annotated[dict[SamplingField, str], NoDecode] = Field(
        {},
        description="Fields that the server knows by another name, as max_tokens=max_completion_tokens",
        json_schema_extra=shapes(),
    )
    headers: Annotated[dict[str, str], NoDecode] = Field(
        {},
        repr=False,
        description="Headers of every request, as api-key={api_key}, which stands for the key; the key is then sent "
        "in no other",
        json_schema_extra=shapes(),
    )
    query: Annotated[dict[str, str], NoDecode] = Field(
        {},
        repr=False,
        description="Query of the server's address, as api-version=2024-10-21",
        json_schema_extra=shapes(),
    )
    concurrency: int = Field(
        256,
        ge=1,
        description="Most requests in flight at once; fewer where a server is slower",
        json_schema_extra=shapes(),
    )
    timeout_s: float = Field(120.0, gt=0, description="Seconds one request may take in all", json_schema_extra=shapes())
    connect_timeout_s: float = Field(
        10.0, gt=0, description="Seconds a server may take to accept a connection", json_schema_extra=shapes()
    )
    read_timeout_s: float = Field(
        120.0, gt=0, description="Seconds without a byte after which an answer is given up", json_schema_extra=shapes()
    )
    max_retries: int = Field(
        6, ge=0, description="Times a request is tried again after a passing fault", json_schema_extra=shapes()
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="Requests sent a minute at most", json_schema_extra=shapes()
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, description="Tokens, in and out, used a minute at most", json_schema_extra=shapes()
    )
    batch: bool = Field(
        False,
        description="Whether OpenAI's Batch API is used: half the price, hours to wait",
        json_schema_extra=shapes(),
    )
    batch_poll_s: float = Field(
        60.0, gt=0, description="Seconds between two looks at a batch", json_schema_extra=shapes()
    )
    batch_requests: int = Field(
        50_000, ge=1, le=50_000, description="Most requests in one batch", json_schema_extra=shapes()
    )

    # The engine vllm; transformers takes `max_model_len` too
    tensor_parallel: int = Field(
        1, ge=1, description="GPUs that share one copy of the model", json_schema_extra=shapes()
    )
    data_parallel: int = Field(1, ge=1, description="Copies of the model", json_schema_extra=shapes())
    gpu_memory: float = Field(
        0.9, gt=0, le=1, description="Share of a GPU's memory that vLLM takes", json_schema_extra=shapes()
    )
    max_model_len: int | None = Field(
        None, ge=1, description="Longest prompt and answer in tokens; None: the model's", json_schema_extra=shapes()
    )
    vllm_options: str = Field(
        "", description="Further arguments of vLLM's engine, as a JSON object", json_schema_extra=shapes()
    )
    stall_s: float = Field(
        300.0,
        gt=0,
        description="Seconds without any answer after which vLLM is started again",
        json_schema_extra=shapes(),
    )

    # The engine transformers
    transformers_batch: int = Field(
        16, ge=1, description="Prompts that the engine transformers answers side by side", json_schema_extra=shapes()
    )

    # Budgets
    max_calls_per_run: int | None = Field(
        None, ge=0, description="Calls that one run may make", json_schema_extra=shapes()
    )
    max_tokens_per_run: int | None = Field(
        None, ge=0, description="Tokens, in and out, that one run may use", json_schema_extra=shapes()
    )
    max_cost_per_run: float | None = Field(
        None, ge=0, description="Money that one run may spend", json_schema_extra=shapes()
    )
    max_calls_per_day: int | None = Field(
        None, ge=0, description="Calls that all runs of a day (UTC) may make", json_schema_extra=shapes()
    )
    max_tokens_per_day: int | None = Field(
        None, ge=0, description="Tokens that all runs of a day may use", json_schema_extra=shapes()
    )
    max_cost_per_day: float | None = Field(
        None, ge=0, description="Money that all runs of a day may spend", json_schema_extra=shapes()
    )
    stale: Literal["ledger", "calls"] = Field(
        "ledger",
        json_schema_extra=shapes(),
        description="What is done with partitions that are there but not as they would be made now: ledger: those "
        "that stored calls answer are made anew; calls: the others too, by new calls",
    )
    targets: Annotated[dict[str, int], NoDecode] = Field(
        {},
        description="Accepted rows to stop at, as math_problems=10000,logic_problems=5000",
        json_schema_extra=shapes("tasks"),
    )

    datasets: Annotated[tuple[str, ...], NoDecode] = Field(
        DATASETS,
        description="Datasets of the package that `run`, `plan` and automation make of themselves, or all; others are "
        "made by hand. Tasks of your own always are",
        json_schema_extra=shapes(),
    )
    recipes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Recipes by which `run` and automation train models, where PERSONA_DATASETS names what is made so, "
        "as tiny,types-INTJ-en, or all",
        json_schema_extra=shapes(),
    )
    modes: Annotated[dict[str, tuple[str, ...]], NoDecode] = Field(
        {},
        description="How tasks are prompted: zero_shot (the default), few_shot, persona_few_shot, or several, as "
        "math_problems=zero_shot+few_shot; *=few_shot for every task that can be",
        json_schema_extra=shapes("modes"),
    )
    shares: Annotated[dict[str, Share], NoDecode] = Field(
        {},
        description="Share of the rows that a task asks about, in all or in one mode, as "
        "math_solutions=0.1,*.few_shot=0.05",
        json_schema_extra=shapes("shares"),
    )
    attempts: Annotated[dict[str, Annotated[int, Field(ge=1, le=1000)]], NoDecode] = Field(
        {},
        description="How often a task asks about each row, as math_problems=8: so many independent answers",
        json_schema_extra=shapes("attempts"),
    )
    selected: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="View by which the rows are selected that a task asks about, as math_problems=by_region",
        json_schema_extra=shapes("selected"),
    )
    systems: Annotated[dict[str, tuple[str, ...]], NoDecode] = Field(
        {},
        description="Models that answer a task side by side, as math_solutions=small+large: of PERSONA_MODELS, or "
        "with recipe:NAME what a recipe starts from and what it has trained",
        json_schema_extra=shapes("systems"),
    )
    params: Annotated[dict[str, Any], NoDecode] = Field(
        {},
        description="Parameters of tasks, as math_problems.level=competition, or a JSON object",
        json_schema_extra=shapes("params"),
    )

    judged: Annotated[dict[str, Share], NoDecode] = Field(
        {},
        description="Datasets whose rows judges rate, each with the share of the rows, as math_solutions=0.1; rubrics "
        "say by what",
        json_schema_extra=shapes("judged"),
    )
    compared: Annotated[dict[str, Share], NoDecode] = Field(
        {},
        description="Datasets of which judges compare two rows that came from one row, each with the share of the "
        "pairs, as math_solutions=0.1",
        json_schema_extra=shapes("compared"),
    )
    judge_votes: int = Field(
        3,
        ge=1,
        le=100,
        description="Verdicts on each row and criterion",
        json_schema_extra=shapes("judged", "compared", "judge_calibration"),
    )
    judge_min_auc: float = Field(
        0.8,
        ge=0.5,
        le=1,
        description="How often a judge has to rate a known good text above a known bad one, to be calibrated",
        json_schema_extra=shapes("judge_standing"),
    )
    pair_ceiling: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Cosine above which two answers are too alike: of opposite poles, or about oneself",
        json_schema_extra=shapes("behaviour", "self_awareness"),
    )

    # Arrival
    files_per_shard: int = Field(8, ge=1, description="Crawl files grouped into one shard", json_schema_extra=shapes())
    settle_s: float = Field(
        60.0, ge=0, description="Seconds a file must not have grown before it is taken", json_schema_extra=shapes()
    )
    max_shards_per_tick: int = Field(
        50, ge=1, description="Shards the sensor adds in one tick", json_schema_extra=shapes()
    )

    # Reading
    min_characters: int = Field(
        200, ge=1, description="Documents shorter than this are rejected", json_schema_extra=shapes("raw_documents")
    )
    max_document_bytes: int = Field(
        20_000_000,
        ge=1000,
        description="Records larger than this are rejected",
        json_schema_extra=shapes("raw_documents"),
    )
    wet_lines: bool = Field(
        True,
        description="Whether the lines of a WET record that are menus, links and notices are taken out",
        json_schema_extra=shapes("raw_documents"),
    )
    near_pages: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Share of their shingles (runs of five words) that two pages of a dump have in common from which "
        "the later one is rejected; 0: pages are not compared",
        json_schema_extra=shapes("raw_documents"),
    )
    min_language_confidence: Share = Field(
        0.5,
        description="Confidence in its language below which a document is rejected",
        json_schema_extra=shapes("raw_documents"),
    )
    quality: Annotated[dict[str, float | Literal["on", "off"]], NoDecode] = Field(
        {},
        description="Rules of documents with other thresholds, or off, as stuffed.share=0.3,menu=off; those that "
        "there are stand below",
        json_schema_extra=shapes("raw_documents"),
    )
    columns: str | None = Field(
        None,
        description="Column map for other JSONL/Parquet, as text=body,url=link, or persona=KEY where rows are personas",
        json_schema_extra=shapes("raw_documents"),
    )

    page_seconds: float = Field(
        20.0,
        gt=0,
        description="Seconds that reading one page may take; one that takes longer is rejected, until its shard is "
        "read again",
        json_schema_extra=shapes(),
    )
    read_processes: int = Field(
        0, ge=0, description="Processes that read crawl files; 0: one for each core", json_schema_extra=shapes()
    )

    # Personas
    relations: Annotated[tuple[DocumentRelation, ...], NoDecode] = Field(
        ("read", "write"),
        description="Which personas to ask of a document: read, write, like, dislike",
        json_schema_extra=shapes("extracted_personas"),
    )
    granularity: Literal["coarse", "fine"] = Field(
        "fine", description="How specific a persona is", json_schema_extra=shapes("extracted_personas")
    )
    personas_per_relation: int = Field(
        1,
        ge=1,
        le=5,
        description="Personas asked for per document and relation",
        json_schema_extra=shapes("extracted_personas"),
    )
    document_tokens: int = Field(
        1500,
        ge=50,
        description="Tokens (of four bytes) of a document in a prompt",
        json_schema_extra=shapes("extracted_personas"),
    )
    windows: int = Field(
        1,
        ge=1,
        le=64,
        description="Parts of a longer document that are asked about, drawn by its id; 1: its beginning",
        json_schema_extra=shapes("extracted_personas"),
    )
    hops: int = Field(
        2,
        ge=0,
        le=6,
        description="Persona-to-persona hops (the paper: six)",
        json_schema_extra=shapes("expanded_personas"),
    )
    fanout: Annotated[tuple[int, ...], NoDecode] = Field(
        (2, 1),
        description="Relations followed per persona at hop 1, 2, ...; the last value holds for the rest",
        json_schema_extra=shapes("expanded_personas"),
    )
    relation_candidates: int = Field(
        3,
        ge=1,
        le=8,
        description="Relations offered with a persona: the drawn one, and others to take where it does not fit",
        json_schema_extra=shapes("expanded_personas"),
    )
    max_expanded_per_seed: int = Field(
        12,
        ge=0,
        description="Cap on related personas per extracted persona",
        json_schema_extra=shapes("expanded_personas"),
    )
    min_novelty: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of a hop's personas in a shard that say something new, below which no further hop is asked "
        "for; 0 asks for all",
        json_schema_extra=shapes("expanded_personas"),
    )

    # Filter and dedup
    min_relatedness: float = Field(
        0.05,
        ge=-1,
        le=1,
        description="Cosine to its parent below which a persona goes",
        json_schema_extra=shapes("filtered_personas"),
    )
    lexical_threshold: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Jaccard on 1-grams (paper section 2.3)",
        json_schema_extra=shapes("persona_survivors"),
    )
    semantic_threshold: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Cosine of embeddings of English texts (paper section 2.3), and what means the same in other "
        "languages",
        json_schema_extra=shapes("persona_survivors"),
    )
    semantic: bool = Field(
        True,
        description="Whether personas are also compared by their embeddings",
        json_schema_extra=shapes("persona_survivors"),
    )
    across_languages: bool = Field(
        False,
        description="Whether that is done across languages too, told apart by their script: one encoder then reads all",
        json_schema_extra=shapes("persona_survivors"),
    )
    dedup_strategy: Literal["auto", "exact", "minhash", "paper"] = Field(
        "auto",
        description="How lexical near-duplicates are found: exact, minhash (verified), or paper (MinHash estimates "
        "decide, section 2.3); auto: exact from a threshold of 0.8, else minhash",
        json_schema_extra=shapes("persona_survivors"),
    )
    minhash_recall: float = Field(
        0.99,
        gt=0,
        lt=1,
        description="Recall at the threshold that MinHash bands have",
        json_schema_extra=shapes("persona_survivors"),
    )
    memory_limit_mb: int = Field(
        2048, ge=1024, description="Memory that dedup may take, in MiB", json_schema_extra=shapes()
    )
    encoder: str = Field(
        "",
        description="sentence-transformers model, which the engine offline reads by too; empty: the packaged "
        "all-MiniLM-L6-v2, and where dedup compares texts in other than Latin letters the packaged "
        "universal-sentence-encoder-multilingual-3",
        json_schema_extra=shapes(
            *("filtered_personas", "persona_survivors", "behaviour", "pole_probe", "self_awareness"),
            *("character_lines", "interview_answers", "asking"),
        ),
    )
    max_unknown_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="[UNK] share above which rows are not encoded",
        json_schema_extra=shapes("filtered_personas", "persona_survivors", "behaviour", "pole_probe", "self_awareness"),
    )

    # Problems
    held_out_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of the pages whose rows are held out as a test (Persona Hub: 20,000 of 1.09 million)",
        json_schema_extra=shapes(
            "math_answers", "logic_answers", "character_training", "character_preferences", "training_mix"
        ),
    )
    types: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Types of personality that are asked about themselves, as INTP,ENFJ; all where none is named",
        json_schema_extra=shapes("self_askings"),
    )
    max_problem_similarity: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Jaccard on 3-grams of words above which a persona's problem on another topic is too similar",
        json_schema_extra=shapes("distinct_topic_problems"),
    )

    # Characters
    profiles: str | None = Field(
        None,
        description="Folder of profiles (.md, .txt) and casts (.yaml), in place of `casts/` of the task files",
        json_schema_extra=shapes(),
    )
    scene_prompts: int = Field(
        100,
        ge=1,
        description="How often a profile from a file is asked for scenes (Character-LLM: 100 prompts)",
        json_schema_extra=shapes("profile_paragraphs"),
    )
    max_scene_similarity: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Jaccard on words from which a character's scene is too similar to an earlier one",
        json_schema_extra=shapes("distinct_scenes"),
    )

    lines_judged: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the characters' lines whose claims are judged by their profiles",
        json_schema_extra=shapes("character_lines"),
    )
    protective_share: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Share of a character's training rows that are protective at most (Character-LLM: under 100 rows)",
        json_schema_extra=shapes("character_training"),
    )
    character_loss: Literal["character", "all"] = Field(
        "character",
        description="What a model learns of a script: the character's turns, or all of them as in Character-LLM",
        json_schema_extra=shapes("character_training"),
    )

    # Benchmarks
    benchmarks: str | None = Field(
        None,
        description="Folder of benchmark files; what shares a long piece with one of their items is set aside as "
        "contaminated",
        json_schema_extra=shapes("benchmarks", "benchmark_files"),
    )

    # Checks
    max_reject_rate: float = Field(
        0.6, ge=0, le=1, description="Reject rate above which a partition is blocked", json_schema_extra=shapes()
    )
    max_parse_failure_rate: float = Field(
        0.1, ge=0, le=1, description="Parse failures above which it is blocked", json_schema_extra=shapes()
    )
    languages: Annotated[tuple[str, ...], NoDecode] = Field(
        ("en", "zh", "ru"),
        description="Languages kept; other documents are rejected",
        json_schema_extra=shapes("raw_documents"),
    )
    min_language_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of input in these languages below which a shard is blocked",
        json_schema_extra=shapes(),
    )

    @field_validator("engine")
    @classmethod
    def _is_engine(cls, value: str) -> str:
        if value not in ENGINES and value not in installed("engines"):
            raise ValueError(f"there is no engine {value}; {did_you_mean(value, [*ENGINES, *installed('engines')])}")
        return value

    @field_validator("modes", "systems", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        """Looked at after `_pairs`, as the validators that come before run from the last to the first."""
        if not isinstance(value, dict):
            return value
        return {task: modes.split("+") if isinstance(modes, str) else modes for task, modes in value.items()}

    @field_validator(
        *(
            "targets",
            "extra_body",
            "rename_fields",
            "headers",
            "query",
            "modes",
            "shares",
            "attempts",
            "selected",
            "systems",
            "params",
            "judged",
            "compared",
            "quality",
        ),
        mode="before",
    )
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("{"):
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError as error:
                raise ValueError(f"not JSON: {error}") from error
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(equals for _, equals, _ in pairs):
            raise ValueError("not of the form name=value,name=value")
        return {name.strip(): number.strip() for name, _, number in pairs}

    @field_validator("extra_body")
    @classmethod
    def _none_of_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        if own := sorted(OWN_FIELDS & value.keys()):
            raise ValueError(f"{own[0]} is set by the program: leave it out of what is sent beside it")
        return value

    @field_validator("rename_fields")
    @classmethod
    def _names_of_fields(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(_FIELD_NAME.fullmatch(name) for name in value.values()):
            raise ValueError("a field's name is made of letters, digits and underscores")
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not (_HEADER_NAME.fullmatch(name) and text.isascii() and text.isprintable()):
                raise ValueError("no HTTP header may hold such characters")
        return value

    @field_validator("quality")
    @classmethod
    def _in_order(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Sorted, so that the order in which they are given makes nothing stale."""
        return dict(sorted(value.items()))

    @field_validator("params")
    @classmethod
    def _of_tasks(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not _PARAMETER.fullmatch(name):
                raise ValueError(f"{name!r} is not of the form task.parameter")
        return value

    @field_validator(
        *("relations", "languages", "fanout", "drop_fields", "datasets", "recipes", "measured", "types"), mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("relations", "languages", "fanout")
    @classmethod
    def _not_empty(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value:
            raise ValueError("needs at least one value")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the variables."""
        return init_settings, _Variables(settings_cls)

    def for_asset(
        self, asset: str, *, turn: str = "", by: Mapping[str, Any] | None = None, with_key: bool = True
    ) -> "Settings":
        """These settings with those of the model that the file PERSONA_MODELS gives the asset, or a turn of it.

        `by` is the row of a system that answers in its place; keys of it that no model has are for prompts.

        A turn is named `<asset>.<turn>` there. What only names a model, and does not ask it, needs no key: `with_key`
        False.

        Raises:
            UsageError: the file is missing or wrong, or its key is not set; the message names file and key.
        """
        if by:
            known = OF_A_MODEL | {"api_key_env"}
            own = {key: value for key, value in by.items() if key in known and value is not None}
            return self._with(own, f"{asset}: system {by.get('id')}", with_key)
        if self.models is None:
            return self
        table = model_table(self.models)
        name = table.assets.get(f"{asset}.{turn}", table.assets.get(asset))
        return self if name is None else self._with(table.models[name], f"{self.models}: model {name}", with_key)

    def _with(self, values: dict[str, Any], where: str, with_key: bool) -> "Settings":
        own = {key: value for key, value in values.items() if key != "api_key_env"}
        if (variable := values.get("api_key_env")) and with_key:
            if not os.environ.get(str(variable), "").strip():
                raise UsageError(f"{where}: the environment variable {variable}, named by api_key_env, is not set")
            own["api_key"] = os.environ[str(variable)]
        elif "base_url" in own:
            own["api_key"] = ""  # the key of one server is not for another
        if "base_url" in own:  # nor is what may be one
            own = {"headers": {}, "query": {}, **own}
        try:
            return Settings(**{**self.model_dump(), **own})
        except ValidationError as error:
            raise UsageError(f"{where}: {_fault(error)}") from None

    @property
    def column_map(self) -> dict[str, str]:
        """`columns` as a dictionary from our column to theirs."""
        if not self.columns:
            return {}
        pairs = [pair.partition("=") for pair in self.columns.split(",")]
        if any(not (ours.strip() and theirs.strip()) for ours, _, theirs in pairs):
            raise UsageError(f"PERSONA_COLUMNS={self.columns!r} is not of the form text=body,url=link")
        return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def shapes_of(field: str) -> frozenset[str]:
    """Whose rows a field of the settings shapes, as it declares.

    Raises:
        TypeError: it declares nothing.
    """
    extra = Settings.model_fields[field].json_schema_extra
    declared = extra.get("shapes") if isinstance(extra, dict) else None
    if not isinstance(declared, list):
        raise TypeError(f"setting {field}: declare whose rows it shapes, with json_schema_extra=shapes(...)")
    return frozenset(map(str, declared))


def model_table(file: str) -> ModelTable:
    """The models and the assets that they answer.

    Raises:
        UsageError: the file is missing, not YAML, has an unknown key, or an asset names a model that it lacks.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"PERSONA_MODELS: {file} is not a file of models")
    try:
        table = ModelTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        hint = "; write assets: for hops:, as it was called in version 0.1" if place == "hops" else ""
        raise UsageError(f"{file}: {place}: {first['msg']}{hint}") from error
    for name, values in table.models.items():
        if "api_key" in values:
            raise UsageError(
                f"{file}: model {name}: no key belongs into a file; name the variable that holds it in api_key_env"
            )
        for key in values.keys() - OF_A_MODEL - {"api_key_env"}:
            nearest = difflib.get_close_matches(key, OF_A_MODEL, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else f" (known: {', '.join(sorted(OF_A_MODEL))})"
            raise UsageError(f"{file}: model {name}: unknown key {key}{hint}")
    for asset, name in table.assets.items():
        if name not in table.models:
            raise UsageError(f"{file}: asset {asset}: no model {name} (known: {', '.join(sorted(table.models))})")
    return table


def _fault(error: ValidationError, named: Callable[[str], str] = str) -> str:
    """What is wrong with a setting; the value is left out where it may hold a key."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    got = "" if name in ("api_key", "headers", "query") else f" (got {first['input']!r})"
    return f"{named(name)}: {first['msg']}{got}"


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
        raise UsageError(PREFIX + _fault(error, str.upper)) from None
