import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Ledger
from persona_assets.personas.extract import ExtractStep, extraction_asks
from persona_assets.plan.tokens import OPENING, PER_MESSAGE, TokenCounter, answer_tokens
from persona_assets.plan.usage import Usage
from persona_assets.prompts import Message
from persona_assets.steps.runner import Context
from persona_assets_tests.engines.doubles import NOW, call
from persona_assets_tests.plan.work import PAGES, Other, Work, asset


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A small tokenizer of our own, in a folder as models have it."""
    made = Tokenizer(models.BPE(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.train_from_iterator(PAGES, trainers.BpeTrainer(vocab_size=400, special_tokens=["[UNK]"], show_progress=False))
    folder = tmp_path / "model"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return folder


def prompts(work: Work) -> list[list[Message]]:
    """The prompts of extraction."""
    context = Context(work.lake, work.settings, OfflineEngine(work.settings), "test")
    step = ExtractStep()
    shards = work.shards()
    return [step.template.render(step.variables(ask)) for shard in shards for ask in extraction_asks(context, shard)]


# Tokens


def test_tokens_in_are_those_of_the_models_tokenizer(work: Work, tokenizer: Path) -> None:
    work.run(until="raw_documents")
    extracted = asset(work.having(tokenizer=str(tokenizer / "tokenizer.json")).plan(), "extracted_personas")
    whole = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    counted = [
        OPENING + sum(PER_MESSAGE + len(whole.encode(message["content"]).ids) for message in prompt)
        for prompt in prompts(work)
    ]
    assert len(counted) == 4
    assert extracted.sum("tokens_in") == pytest.approx(sum(counted))
    assert extracted.tokens.tokens_in == "measured"


def test_a_chat_template_beside_the_tokenizer_lays_the_prompt_out(tokenizer: Path) -> None:
    layout = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
    config = {"chat_template": layout, "bos_token": {"content": "<s>"}}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(config))
    messages = [Message(role="system", content="Weigh the hive."), Message(role="user", content="How often?")]
    text = "<s>[system] Weigh the hive.\n[user] How often?\n[assistant]"
    whole = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    assert TokenCounter(str(tokenizer)).count(messages) == len(whole.encode(text).ids)


def test_a_chat_template_that_refuses_a_system_message_falls_back_to_counting(tokenizer: Path) -> None:
    plain = TokenCounter(str(tokenizer)).count([Message(role="system", content="Weigh the hive.")])
    (tokenizer / "chat_template.jinja").write_text("{{ raise_exception('no system role') }}")
    assert TokenCounter(str(tokenizer)).count([Message(role="system", content="Weigh the hive.")]) == plain


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_tokenizer_that_cannot_be_read_is_wrong_use(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r"PERSONA_TOKENIZER: .*tokenizer\.json"):
        TokenCounter(str(tmp_path))


def test_calls_of_the_model_tell_tokens_and_those_of_others_where_it_has_none(finished: Work) -> None:
    made = finished.run()["extracted_personas"]
    assert made.calls_made == 0
    finished.drop("e", "c.jsonl", 4)
    own = asset(finished.plan(dumps=("e",)), "extracted_personas")
    other = asset(finished.plan(engine=Other, dumps=("e",)), "extracted_personas")
    assert (own.tokens.tokens_in, own.tokens.tokens_out) == ("from calls", "from calls")
    assert (other.tokens.tokens_in, other.tokens.tokens_out) == ("from other models", "from other models")
    assert own.model == "offline"
    assert other.model == "other"


def test_a_call_of_another_model_answers_nothing(finished: Work) -> None:
    extracted = asset(finished.plan(engine=Other, everything=True), "extracted_personas")
    assert (extracted.total("new").value, extracted.sum("reused")) == (4, 0)


def test_without_calls_or_tokenizer_tokens_are_estimated_and_capped(work: Work) -> None:
    work.run(until="raw_documents")
    extracted = asset(work.plan(), "extracted_personas")
    assert (extracted.tokens.tokens_in, extracted.tokens.tokens_out) == ("estimated", "estimated")
    size = sum(len(message["content"].encode()) for prompt in prompts(work) for message in prompt)
    assert extracted.sum("tokens_in") == pytest.approx(size / 4)
    short = asset(work.having(max_tokens=5).plan(), "extracted_personas")
    assert short.sum("tokens_out") == 4 * 5 < extracted.sum("tokens_out")


def test_an_answer_is_longer_the_more_its_schema_asks_for() -> None:
    text = {"type": "string"}
    item = {"type": "object", "properties": {"relation": {"enum": ["read"]}, "persona": text}}
    assert answer_tokens({"type": "boolean"}) < answer_tokens(text) < answer_tokens(item)
    assert answer_tokens({"type": "array", "items": item}, 8) > 2 * answer_tokens({"type": "array", "items": item}, 2)
    assert answer_tokens({"type": "string", "maxLength": 8}) == 2


# Money, time, disk


def test_money_is_tokens_at_the_prices_of_each_steps_model(work: Work, tmp_path: Path) -> None:
    models_file = tmp_path / "models.yaml"
    models_file.write_text("models: {dear: {price_in: 10, price_out: 20}}\nassets: {extracted_personas: dear}\n")
    work.run(until="raw_documents")
    plan = work.having(price_in=1.0, price_out=2.0, models=str(models_file)).plan()
    for name, factor in (("extracted_personas", 10), ("expanded_personas", 1)):
        found = asset(plan, name)
        assert found.sum("cost") == pytest.approx(factor * (found.sum("tokens_in") + 2 * found.sum("tokens_out")) / 1e6)


def test_gpu_hours_follow_from_the_throughput_and_without_one_are_left_out(work: Work) -> None:
    work.run(until="raw_documents")
    plan = work.plan(tokens_per_second=50.0, gpus=4.0)
    assert plan.gpu_hours == pytest.approx(plan.sum("tokens_out") / 50 / 3600 * 4)
    without = work.plan()
    assert without.gpu_hours is None
    assert any("--tokens-per-second" in note for note in without.notes)


def test_the_throughput_is_that_of_the_last_days_calls(lake: Lake) -> None:
    ledger = Ledger(lake)
    assert Usage(ledger).throughput(["m"]) is None
    for day, tokens in ((0, 5), (1, 100)):
        moments = [NOW + timedelta(days=day, seconds=second) for second in range(10)]
        made = [
            call(day * 10 + number, created_at=moment, tokens_out=tokens, latency_s=1.0)
            for number, moment in enumerate(moments)
        ]
        ledger.store("tiny", "d.0000", made)
    assert Usage(ledger).throughput(["m"]) == pytest.approx(100)  # 1,000 tokens in 9 s and the first answer's second
    assert Usage(ledger).throughput(["other"]) is None


def test_an_engine_with_a_gpu_is_planned_at_the_throughput_of_its_calls(work: Work) -> None:
    work.run(until="raw_documents")
    Ledger(work.lake).store(
        "tiny", "x.0000", [call(n, model="offline", created_at=NOW + timedelta(seconds=n)) for n in range(10)]
    )
    plan = work.having(engine="vllm", model="m", tensor_parallel=2).plan()  # answers, in the test, as `offline`
    speed = Usage(Ledger(work.lake)).throughput(["offline"])
    assert speed
    assert plan.gpu_hours == pytest.approx(plan.sum("tokens_out") / speed / 3600 * 2)
    assert any(f"offline {speed:,.0f}" in note for note in plan.notes)


def test_disk_is_about_what_the_run_then_writes(finished: Work) -> None:
    finished.drop("e", "c.jsonl", 4)
    planned = finished.plan(dumps=("e",)).sum("disk")
    before = finished.lake.fs.du(finished.lake.root)
    finished.run()
    assert planned == pytest.approx(finished.lake.fs.du(finished.lake.root) - before, rel=0.75)


# Budgets


@pytest.mark.parametrize(
    ("cap", "said"), [(2, r"=2 would stop it after ~\d+% \(\d+ needed\)"), (10**6, r"=1000000 is enough: \d+ needed")]
)
def test_a_cap_says_how_far_the_run_would_get(work: Work, cap: int, said: str) -> None:
    work.run(until="raw_documents")
    plan = work.having(max_calls_per_run=cap).plan()
    [line] = [found.line for found in plan.caps]
    assert re.fullmatch(f"PERSONA_MAX_CALLS_PER_RUN{said}", line)
    assert plan.caps[0].needed == round(plan.total("calls").value)


def test_what_was_spent_today_counts_against_the_cap_of_a_day(finished: Work) -> None:
    calls = pl.scan_parquet(finished.folder / "lake" / "calls" / "**" / "*.parquet", hive_partitioning=False)
    made = calls.filter(pl.col("created_at").dt.date() == datetime.now(UTC).date()).select(pl.len()).collect().item()
    finished.drop("e", "c.jsonl", 4)
    [cap] = finished.having(max_calls_per_day=1000).plan(dumps=("e",)).caps
    assert cap.left == 1000 - made
    assert "left today" in cap.line
