import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest
from sentence_transformers import SentenceTransformer

from persona_assets.text import fast_encoder
from persona_assets.text.bert import UnsupportedModel, read_shape
from persona_assets.text.encoder import Encoder, load_encoder
from persona_assets.text.fast_encoder import FastEncoder

TEXTS = [
    "A baker.",
    "",
    "   ",
    "A retired schoolteacher who bakes loaves for the people next door and reads Tolstoy aloud to them.",
    "NAÏVE Café\towner,\nÅngström-loving",
    "研究唐代诗歌的大学生",
    "Учитель математики из Казани 🙂",
    "word " * 255,
    "a nurse who sings in three choirs, " * 60,
    "x" * 300,
    "[MASK] of a [SEP] person",
    "A baker.",
]


@pytest.fixture(scope="module")
def packaged() -> Path:
    return Path(load_encoder()._source)


@pytest.fixture(scope="module")
def reference(packaged: Path) -> SentenceTransformer:
    return SentenceTransformer(str(packaged), device="cpu", local_files_only=True)


def expected(model: SentenceTransformer, texts: list[str]) -> np.ndarray:
    return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def changed(packaged: Path, folder: Path, file: str, **values: object) -> Path:
    shutil.copytree(packaged, folder)
    path = folder / file
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **values}))
    return folder


def tiny(folder: Path, kind: str, pooling: str = "mean") -> Path:
    """A sentence-transformers folder with random weights and the packaged vocabulary."""
    import torch
    from sentence_transformers.models import Pooling, Transformer
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(load_encoder()._source)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1 if kind == "roberta" else 0, **sizes
    )
    AutoModel.from_config(config).save_pretrained(folder / "bare")
    tokenizer.save_pretrained(folder / "bare")
    transformer = Transformer(str(folder / "bare"), max_seq_length=64)
    model = SentenceTransformer(modules=[transformer, Pooling(32, pooling_mode=pooling)], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"


def test_vectors_are_those_of_sentence_transformers(packaged: Path, reference: SentenceTransformer) -> None:
    vectors, truth = FastEncoder(packaged).encode(TEXTS), expected(reference, TEXTS)
    np.testing.assert_allclose(vectors, truth, atol=2e-6)
    np.testing.assert_allclose(vectors @ vectors.T, truth @ truth.T, atol=1e-5)


def test_long_texts_are_cut_where_sentence_transformers_cuts_them(packaged: Path) -> None:
    model = FastEncoder(packaged)
    at_limit, beyond, short = model.encode(["word " * 254, "word " * 254 + "queen", "word " * 253 + "queen"])
    assert (at_limit == beyond).all()
    assert np.abs(at_limit - short).max() > 1e-4


def test_order_is_kept_over_slices_and_progress_adds_up(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_encoder, "SLICE", 50)
    monkeypatch.setattr(fast_encoder, "REPORT", 16)
    texts = [f"A baker of {'very ' * (number % 7)}large loaf number {number}." for number in range(130)]
    heard: list[int] = []
    model = FastEncoder(packaged)
    together = model.encode(texts, heard.append)
    assert sum(heard) == len(texts)
    assert len(heard) >= 6
    for place in (0, 49, 50, 77, 129):
        np.testing.assert_allclose(together[place], model.encode([texts[place]])[0], atol=2e-6)


def test_the_packaged_encoder_takes_the_fast_path_without_torch(packaged: Path) -> None:
    code = (
        "import sys; from persona_assets.text.encoder import load_encoder;"
        "load_encoder().encode(['A baker.']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_nothing_is_reported_to_anyone(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "seen = []\n"
        "watched = ('socket.connect', 'socket.getaddrinfo', 'os.fork', 'os.posix_spawn', 'subprocess.Popen')\n"
        "sys.addaudithook(lambda event, _: event in watched and seen.append(event))\n"
        "from persona_assets.text.encoder import load_encoder\n"
        "load_encoder().encode(['A baker.'])\n"
        "assert 'openvino' in sys.modules\n"
        "print(seen)\n"
    )
    # No CI variable, and a home without consent file: there openvino would report.
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_other_models_of_the_kind_take_the_fast_path(tmp_path: Path, kind: str) -> None:
    folder = tiny(tmp_path, kind)
    encoder = load_encoder(str(folder))
    assert encoder._fast is not None
    truth = expected(SentenceTransformer(str(folder), device="cpu"), TEXTS)
    np.testing.assert_allclose(encoder.encode(TEXTS), truth, atol=2e-6)
    assert encoder.dimension == 32


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "cls"), ("bert", "max"), ("distilbert", "mean")])
def test_models_of_another_kind_are_left_to_sentence_transformers(tmp_path: Path, kind: str, pooling: str) -> None:
    folder = tiny(tmp_path, kind, pooling)
    encoder = load_encoder(str(folder))
    heard: list[int] = []
    vectors = encoder.encode(TEXTS, heard.append)
    assert encoder._fast is None
    assert heard == [len(TEXTS)]
    np.testing.assert_allclose(vectors, expected(SentenceTransformer(str(folder), device="cpu"), TEXTS), atol=2e-6)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("config_sentence_transformers.json", {"prompts": {"q": "query: "}, "default_prompt_name": "q"}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("sentence_bert_config.json", {"max_seq_length": 4096}),
        ("sentence_bert_config.json", {"a_setting_of_the_future": 1}),
    ],
)
def test_settings_that_are_not_followed_are_refused(
    packaged: Path, tmp_path: Path, file: str, values: dict[str, object]
) -> None:
    with pytest.raises(UnsupportedModel):
        read_shape(changed(packaged, tmp_path / "model", file, **values))


def test_a_model_whose_files_were_misread_is_left_to_sentence_transformers(packaged: Path, tmp_path: Path) -> None:
    # Both files may name the limit; here another tokenizer than the one that sentence-transformers makes.
    folder = tmp_path / "model"
    shutil.copytree(packaged, folder)
    tokenizer = orjson.loads((folder / "tokenizer.json").read_bytes())
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_bytes(orjson.dumps(tokenizer))
    encoder = load_encoder(str(folder))
    truth = expected(SentenceTransformer(str(folder), device="cpu"), TEXTS)
    np.testing.assert_allclose(encoder.encode(TEXTS), truth, atol=2e-6)


def test_without_openvino_a_warning_names_the_reason(
    packaged: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reference: SentenceTransformer
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    encoder = Encoder("packaged", "none", str(packaged))
    with caplog.at_level(logging.WARNING):
        vectors = encoder.encode(TEXTS)
    assert "openvino cannot be imported" in caplog.text
    np.testing.assert_allclose(vectors, expected(reference, TEXTS), atol=2e-6)
