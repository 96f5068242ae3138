"""The tokenizer of models that start from nothing, and how many tokens texts have in the models that are trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from persona_assets.errors import UsageError

PAD, START, END = "<|pad|>", "<|start|>", "<|end|>"
ROLES = {role: f"<|{role}|>" for role in ("system", "user", "assistant")}
# Digits go two by two from the end of their number, so that it is read by its places: 1234 is 12 and 34. That is half
# as many pieces to copy and to reckon with as single digits are. (Where there are more than 20, the first are single.)
# Words take the space before them along, signs those around them (` + ` is one piece); line breaks and longer gaps
# stand alone.
PIECES = r"\p{N}{1,2}(?=(?:\p{N}{2}){0,9}(?!\p{N}))|\p{N}| ?[\p{L}\p{M}]+| ?[^\s\p{L}\p{M}\p{N}]+ ?|\s+"


def trained_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer of at most `vocabulary` pieces; the same texts in the same order give the same."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END, *ROLES.values()],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class Pieces:
    """Counts tokens with a tokenizer."""

    def __init__(self, tokenizer: Tokenizer, limit: int | None) -> None:
        """`limit` is the most tokens that the model takes, where that is known."""
        self._tokenizer, self.limit = tokenizer, limit

    @classmethod
    def of_folder(cls, folder: Path) -> "Pieces":
        """Of the model in a folder.

        Raises:
            UsageError: there is no tokenizer.json, or it cannot be read.
        """
        file = folder / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
        except Exception as error:
            said = str(error).splitlines()[0]
            raise UsageError(f"{file} is not a tokenizer: {said}; a base model needs one beside its weights") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(tokenizer, _limit(folder / "config.json"))

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without those that a chat template adds."""
        return [len(one.ids) for one in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def _limit(config: Path) -> int | None:
    try:
        told = orjson.loads(config.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None  # what the folder lacks is told when the model is loaded
    limit = told.get("max_position_embeddings") if isinstance(told, dict) else None
    return limit if isinstance(limit, int) else None
