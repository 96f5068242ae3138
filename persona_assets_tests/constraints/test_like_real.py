"""Wordings and arguments beside those of real prompts that people held to verifiable constraints."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from persona_assets.constraints.checkers import seen
from persona_assets.constraints.kinds import check_args, kinds

PROMPTS = Path(__file__).parents[3] / "shared" / "data" / "ifeval" / "prompts.jsonl"
pytestmark = pytest.mark.skipif(not PROMPTS.exists(), reason="the real prompts are not beside the checkout")
# Their kind, with what it says how many of: our kind, our names of their arguments.
SAME = {
    ("length_constraints:number_words", "at least"): ("words_at_least", {"num_words": "n"}),
    ("length_constraints:number_words", "less than"): ("words_at_most", {"num_words": "n"}),
    ("length_constraints:number_sentences", "at least"): ("sentences_at_least", {"num_sentences": "n"}),
    ("length_constraints:number_sentences", "less than"): ("sentences_at_most", {"num_sentences": "n"}),
    ("length_constraints:number_paragraphs", ""): ("divided", {"num_paragraphs": "n"}),
    ("detectable_format:number_bullet_lists", ""): ("bullets", {"num_bullets": "n"}),
    ("detectable_format:title", ""): ("title", {}),
    ("detectable_format:multiple_sections", ""): ("sections", {"num_sections": "n"}),
    ("detectable_format:number_highlighted_sections", ""): ("highlights", {"num_highlights": "n"}),
    ("detectable_content:postscript", ""): ("postscript", {"postscript_marker": "marker"}),
    ("detectable_content:number_placeholders", ""): ("placeholders", {"num_placeholders": "n"}),
    ("keywords:frequency", "at least"): ("word_times", {"keyword": "word", "frequency": "n"}),
    ("keywords:letter_frequency", "at least"): ("letter_times", {"letter": "letter", "let_frequency": "n"}),
    ("startend:end_checker", ""): ("last_sentence", {"end_phrase": "sentence"}),
    ("startend:quotation", ""): ("quoted", {}),
    ("change_case:english_lowercase", ""): ("lower_case", {}),
    ("change_case:english_capital", ""): ("capitals", {}),
    ("change_case:capital_word_frequency", "at least"): ("capital_words", {"capital_frequency": "n"}),
    ("punctuation:no_comma", ""): ("no_commas", {}),
    ("combination:repeat_prompt", ""): ("repeats_request", {}),
}
# A term that most real prompts of a kind have, in the stem that our wordings share with them.
TERMS = {
    "words_at_least": "words", "sentences_at_least": "sentence", "bullets": "bullet", "title": "double ang",
    "highlights": "ighlight", "postscript": "postscript", "placeholders": "square brackets", "word_times": "word",
    "quoted": "quotation marks",
    "no_commas": "comma", "repeats_request": "word for word", "divided": "***",
}  # fmt: skip


def real() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Our kind, the prompt, and its arguments by our names."""
    for line in PROMPTS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for theirs, args in zip(row["instruction_id_list"], row["kwargs"], strict=True):
            relation = args.get("relation") or args.get("let_relation") or args.get("capital_relation") or ""
            if found := SAME.get((theirs, relation)):
                kind, names = found
                yield kind, row["prompt"], {ours: args[name] for name, ours in names.items()}


def test_real_arguments_are_ones_that_our_kinds_take() -> None:
    met = set()
    for kind, _, args in real():
        if kind == "letter_times" and not args["letter"].isalpha():
            continue  # marks such as # are counted there too
        check_args(kinds()[kind], args, "en")
        met.add(kind)
    assert len(met) == len(SAME)


def test_our_wordings_use_the_terms_of_real_ones() -> None:
    for kind, term in TERMS.items():
        prompts = [prompt.lower().replace("post script", "postscript") for name, prompt, _ in real() if name == kind]
        assert 2 * sum(term in prompt for prompt in prompts) >= len(prompts), f"{kind}: {term}"
        assert any(term in wording.lower() for wording in kinds()[kind].wordings["en"]), f"{kind}: {term}"


def test_checkers_read_real_prompts_as_they_are() -> None:
    for kind, prompt, args in real():
        if kind != "letter_times" or args["letter"].isalpha():
            said = seen(kind, prompt, args, "en", request=prompt[: len(prompt) // 2])
            assert said is None or len(said) < 200
