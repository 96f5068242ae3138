"""Texts to dedup, made by a seeded generator from the texts of a file: new ones, exact copies and near-copies.

Of every ten rows eight are splices (the head of one given text, the tail of another), one is a copy of an earlier
row (half of these in other case and with other punctuation), and one an earlier row with one word changed, dropped or
added. Copies of copies happen. The rows are shuffled.
"""

import random
from pathlib import Path

import polars as pl

COLUMNS = ("text", "persona", "input persona", "description")


def read_texts(file: Path) -> list[str]:
    """The texts of a Parquet, JSONL or plain text file, without repeats, in order."""
    if file.suffix == ".parquet":
        frame = pl.read_parquet(file)
    elif file.suffix == ".jsonl":
        frame = pl.read_ndjson(file, infer_schema_length=None)
    else:
        frame = pl.DataFrame({"text": file.read_text(encoding="utf-8").splitlines()})
    column = next((name for name in COLUMNS if name in frame.columns), frame.columns[0])
    texts = frame[column].drop_nulls().str.strip_chars().unique(maintain_order=True).to_list()
    return [text for text in texts if text]


def generate(texts: list[str], rows: int, seed: int = 0) -> list[str]:
    """`rows` texts, the same for the same arguments."""
    random_ = random.Random(seed)
    words = [text.split() for text in texts]
    vocabulary = sorted({word for text in words for word in text})
    made: list[str] = []
    for _ in range(rows):
        kind = random_.random() if made else 1.0
        if kind < 0.05:
            made.append(random_.choice(made))
        elif kind < 0.1:
            made.append(random_.choice(made).upper().rstrip(".") + "!")
        elif kind < 0.2:
            made.append(_near(random_.choice(made).split(), vocabulary, random_))
        else:
            made.append(_splice(random_.choice(words), random_.choice(words), random_))
    random_.shuffle(made)
    return made


def _splice(head: list[str], tail: list[str], random_: random.Random) -> str:
    return " ".join(head[: random_.randint(len(head) // 3, len(head))] + tail[random_.randint(0, len(tail) // 2) :])


def _near(text: list[str], vocabulary: list[str], random_: random.Random) -> str:
    place = random_.randrange(len(text))
    kind = random_.random()
    if kind < 0.4:
        text[place] = random_.choice(vocabulary)
    elif kind < 0.7 and len(text) > 2:
        del text[place]
    else:
        text.insert(place, random_.choice(vocabulary))
    return " ".join(text)
