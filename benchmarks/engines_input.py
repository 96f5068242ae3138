"""Documents for `engines`: mixed lengths in English, Chinese and Russian, made by Polars from paragraphs of sentences.

Document N opens with "Document N.", so its prompt is known by its number. Every document is another text.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import polars as pl

from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS

SHARD = "bench.0000"
LANGUAGES = ("en", "zh", "ru")
SHARES = (0.5, 0.25, 0.25)
MOST_PARAGRAPHS = 12
PARAGRAPHS = 2_000  # different ones per language
ROWS = 32_768  # made at once

WORDS: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    "en": (
        ["The old mill", "A young doctor", "Our village school", "The night ferry", "My neighbour's orchard"],
        ["needs", "has long kept", "cannot do without", "was saved by", "quietly pays for"],
        ["a roof of slate", "two honest clerks", "a map of the marsh", "fresh bread at dawn", "a well-kept ledger"],
        [
            "since the flood of 1954.",
            "as every visitor can see!",
            "though few would say so.",
            "but who will tell them?",
        ],
    ),
    "zh": (
        ["村口的老磨坊", "年轻的大夫", "我们镇上的小学", "夜里的渡船", "邻居家的果园"],
        ["一直离不开", "去年终于有了", "多年来靠着", "悄悄出钱买下", "如今最缺"],
        ["石板铺的屋顶", "两个老实的账房", "一张湿地的地图", "清早的新鲜面包", "一本清楚的账"],
        ["，来过的人都看得见。", "，只是很少有人说起。", "，自从那场大水以后！", "，可是谁去告诉他们呢？"],
    ),
    "ru": (
        ["Старая мельница", "Молодой врач", "Наша сельская школа", "Ночной паром", "Соседский сад"],
        ["давно нуждается в том, что есть", "не обходится там, где нужны", "держится на том, что дают", "хранит"],
        ["черепичная крыша", "два честных писаря", "карта болот", "свежий хлеб на рассвете", "аккуратная книга"],
        ["после большого наводнения.", "и это видит каждый гость!", "хотя об этом молчат.", "но кто им скажет?"],
    ),
}


def sentence(language: str, draw: random.Random) -> str:
    space = "" if language == "zh" else " "
    *words, end = (draw.choice(part) for part in WORDS[language])
    return space.join(words) + ("" if language == "zh" else " ") + end


def paragraphs(language: str, draw: random.Random) -> pl.Series:
    """Paragraphs of 3 to 9 sentences."""
    space = "" if language == "zh" else " "
    made = (space.join(sentence(language, draw) for _ in range(draw.randint(3, 9))) for _ in range(PARAGRAPHS))
    return pl.Series(list(made))


def documents(count: int, seed: int, longest: int = MOST_PARAGRAPHS) -> Iterator[pl.DataFrame]:
    """Frames of `raw_documents`; of 1 to `longest` paragraphs, short documents being more frequent."""
    draw = random.Random(seed)
    pool = pl.concat([paragraphs(language, draw) for language in LANGUAGES])
    generator = np.random.default_rng(seed)
    weights = 1 / np.sqrt(np.arange(1, longest + 1))
    now = datetime.now(UTC)
    for start in range(0, count, ROWS):
        numbers = np.arange(start, min(start + ROWS, count))
        language = generator.choice(len(LANGUAGES), len(numbers), p=SHARES)
        size = generator.choice(np.arange(1, longest + 1), len(numbers), p=weights / weights.sum())
        parts = []
        for position in range(longest):
            chosen = pool.gather(generator.integers(PARAGRAPHS, size=len(numbers)) + PARAGRAPHS * language)
            parts.append(chosen.zip_with(pl.Series(size > position), pl.Series([None], dtype=pl.String)))
        yield frame(numbers, language, parts, now)


def frame(numbers: np.ndarray, language: np.ndarray, parts: list[pl.Series], now: datetime) -> pl.DataFrame:
    columns = [f"p{position}" for position in range(len(parts))]
    number = pl.col("number").cast(pl.String)
    text = pl.concat_str(
        pl.lit("Document ") + number + ". " + pl.col("p0"), *columns[1:], separator="\n", ignore_nulls=True
    )
    digest = number.str.zfill(32)  # ids need only be different here
    made = pl.DataFrame({"number": numbers, "code": language, **dict(zip(columns, parts, strict=True))})
    made = made.with_columns(text=text).select(
        document_id="doc_" + digest,
        url=pl.lit("https://example.org/") + number,
        dump=pl.lit("bench"),
        file=pl.lit("bench.warc.gz"),
        format=pl.lit("warc"),
        record_offset=pl.col("number").cast(pl.Int64),
        record_id=pl.lit(None, pl.String),
        fetched_at=pl.lit(now, pl.Datetime("us", "UTC")),
        language=pl.col("code").replace_strict(range(len(LANGUAGES)), LANGUAGES, return_dtype=pl.String),
        language_confidence=pl.lit(1.0, pl.Float32),
        text="text",
        characters=pl.col("text").str.len_chars().cast(pl.Int32),
        content_digest=digest,
        shard=pl.lit(SHARD),
        run_id=pl.lit("bench"),
        created_at=pl.lit(now, pl.Datetime("us", "UTC")),
    )
    return made.select(RAW_DOCUMENTS.polars.names())


def write_documents(folder: str, count: int, seed: int, longest: int = MOST_PARAGRAPHS) -> dict[str, float]:
    """Write one shard of `raw_documents`; the spread of its lengths in characters."""
    lengths = []
    with Lake(folder).partition(RAW_DOCUMENTS, SHARD, "bench") as part:
        for made in documents(count, seed, longest):
            part.rows.append(made)
            lengths.append(made["characters"])
    characters = pl.concat(lengths)
    quantiles = {"p5": 0.05, "median": 0.5, "p95": 0.95}
    spread = {name: float(characters.quantile(share) or 0) for name, share in quantiles.items()}
    return {"mean": float(characters.mean() or 0), **spread}  # type: ignore[arg-type]
