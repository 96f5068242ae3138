"""Published answers that were labelled by hand become known texts of the rubric, where the data is there."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.interview_labels import CRITERIA, LABELS, RUBRIC, cases_of, labelled
from persona_assets.errors import UsageError
from persona_assets.ids import digest
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets_tests.characters.logs import PUBLISHED, entry, single

PROFILE = "# Ilse Brandt\n\nIlse Brandt binds books. She never married. Her shop is in Ulm.\n"
FILE = "Ilse_tuned_result/now.json"


def data(folder: Path) -> Path:
    """A folder as the data is published, with two answers."""
    files = {f"interviews/{FILE}": json.dumps([single(entry("In Ulm.")), single(entry("In Rome."))]), "p.txt": PROFILE}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def labels(*words: str, **values: Any) -> dict[str, Any]:
    told = [
        {"file": FILE, "place": place, "digest": digest(text.encode()), "memorization": None} | values
        for place, text in enumerate(words)
    ]
    return {"profile": "p.txt", "labels": told}


def test_an_answer_is_a_case_for_each_criterion_that_it_has_a_label_for(tmp_path: Path) -> None:
    found = cases_of(data(tmp_path), labels("In Ulm.", "In Rome.", hallucination="good"))
    assert [(one["of"], one["label"]) for one in found] == [("hallucination", "good")] * 2
    assert "<answer>\nIn Rome.\n</answer>" in found[1]["shown"]
    assert "Her shop is in Ulm." in found[0]["shown"].partition("<statements>")[2].partition("</statements>")[0]


def test_another_answer_than_the_one_that_was_labelled_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"now.json, row 2: it is another answer than the one that was labelled"):
        labelled(data(tmp_path), labels("In Ulm.", "In Bonn."))


def test_data_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give the folder that holds interviews/ and profiles/"):
        labelled(tmp_path, labels("In Ulm."))


def test_there_are_fifteen_labelled_answers_of_each_system_and_none_of_their_texts() -> None:
    told = yaml.safe_load(LABELS.read_text(encoding="utf-8"))["labels"]
    assert Counter(one["file"].split("_")[1] for one in told) == dict.fromkeys(
        ("alpaca-7b", "chatgpt", "sft", "vicuna-7b"), 15
    )
    assert {tuple(one) for one in told} <= {
        ("file", "place", "digest", *some, "hallucination", "why") for some in ((), ("memorization",))
    }
    assert max(len(one["why"]) for one in told) < 80


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published data is not here")
def test_the_labels_are_of_the_published_answers_and_extend_the_bundled_rubric(tmp_path: Path) -> None:
    cases = cases_of(PUBLISHED, yaml.safe_load(LABELS.read_text(encoding="utf-8")))
    rubric = yaml.safe_load(RUBRIC.read_text(encoding="utf-8"))
    (tmp_path / "rubrics").mkdir()
    whole = rubric | {"cases": [*rubric["cases"], *cases]}
    (tmp_path / "rubrics" / "interviews.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    steps = datasets(Settings(tasks=str(tmp_path), judged={"interview_answers": 1.0}))
    assert "judge_cases" in steps
    counted = Counter((one["of"], one["label"]) for one in cases)
    assert all(counted[of, label] >= 20 for of in CRITERIA for label in ("good", "bad"))
