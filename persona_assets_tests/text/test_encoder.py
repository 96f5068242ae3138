from pathlib import Path

import numpy as np
import pytest

from persona_assets.errors import PersonaAssetsError
from persona_assets.text import encoder as module
from persona_assets.text.encoder import PACKAGED_SHA256, Encoder, load_encoder

TEXTS = [
    "A retired teacher who bakes bread for her neighbours.",
    "A retired schoolteacher baking loaves for the people next door.",
    "A software engineer who writes printer drivers.",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def test_the_packaged_weights_are_the_upstream_ones(encoder: Encoder) -> None:
    assert encoder.revision == PACKAGED_SHA256


def test_other_weights_in_the_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(PersonaAssetsError, match="install the package"):
        module._packaged()


def test_vectors_are_unit_float32_and_near_for_like_meanings(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    together = encoder.encode([*TEXTS, "Baker.", "A " * 100 + "long text"])
    for text, vector in zip(TEXTS, together, strict=False):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=2e-6)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)
    assert encoder.unknown_share([]).shape == (0,)


def test_unknown_share_tells_scripts_that_the_encoder_does_not_know(encoder: Encoder) -> None:
    known, russian, chinese, thai = encoder.unknown_share(
        [TEXTS[0], "Учитель математики из Казани", "研究唐代诗歌的大学生", "ครูที่เกษียณแล้ว"]
    )
    assert known == 0
    assert russian == 1
    assert chinese > 0.3
    assert thai == 1


@pytest.mark.parametrize("text", ["", "!?...", "🙂"])
def test_a_text_without_words_is_wholly_unknown(encoder: Encoder, text: str) -> None:
    assert encoder.unknown_share([text])[0] == 1


def test_punctuation_does_not_dilute_the_unknown_share(encoder: Encoder) -> None:
    assert encoder.unknown_share(["ครู !!!!!!!!"])[0] == 1


def test_a_folder_without_weights_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PersonaAssetsError, match="PERSONA_ENCODER"):
        load_encoder(str(tmp_path))


def test_loading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Encoder("packaged", PACKAGED_SHA256, load_encoder()._source).encode(["A baker."])
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
