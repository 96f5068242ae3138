"""`persona-assets`: the command line."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from rich.console import Console

from persona_assets.errors import PersonaAssetsError, UsageError, did_you_mean
from persona_assets.lake import Table
from persona_assets.lake.format import open_lake
from persona_assets.settings import Settings, load_settings
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Web crawls to personas, personas to training data, every row traceable to the page it came from.",
)
err = Console(stderr=True)
LEAST_MEMORY_MB = 1024  # as of the setting
# The demo makes every dataset: each task without examples of all personas, all else of about a dozen a language.
DEMO = {
    "datasets": "all",
    "modes": "*=zero_shot+few_shot+persona_few_shot",
    "shares": "*.few_shot=0.057,*.persona_few_shot=0.057,"
    + "math_solutions=0.0064,"
    + "".join(
        f"{name}=0.051,"
        for name in (
            *("logic_solutions", "instruction_answers", "conversations"),
            *("constrained_instructions", "tool_implementations"),
        )
    )
    + "persona_attributes=0.1,persona_skills=0.1,persona_cards=0.05,"
    + "pole_answers=0.12,self_questions=0.11,persona_behaviour=0.05,"
    + "topic_problems=0.03,instance_driven_problems=0.34,key_points=0.17",
    "params": "self_questions.count=2,scenes.count=3",
    "scene_prompts": "12",
    "held_out_share": "0.2",
    "recipes": "tiny",  # which learns from eight problems a persona
    "attempts": "math_problems=8",
}
TABLE = "JSON lines, JSON, CSV or TSV (plain, gz, zst or lz4), or Parquet."
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
LakeOption = Annotated[
    str | None, typer.Option("--lake", help="Folder or URL of the lake (default: PERSONA_LAKE, lake).")
]


def _settings(**overrides: object) -> Settings:
    """Settings with command-line values put where every process of the run finds them: in the environment."""
    for name, value in overrides.items():
        if value is not None:
            os.environ[f"PERSONA_{name.upper()}"] = str(value)
    return load_settings()


def _task_tables(settings: Settings) -> list[Table]:
    from persona_assets.tasks.load import datasets

    return [step.table for step in datasets(settings).values()]


@app.command()
def demo(
    lake: LakeOption = None,
    dumps: Annotated[
        str | None,
        typer.Option(help="Folder to put the demo's crawl files in (default: PERSONA_DUMPS, dumps)."),
    ] = None,
) -> None:
    """Run the bundled dumps through every asset, with the offline engine, and audit one sample of each task."""
    from persona_assets.cli.run import show_demo_end, show_run
    from persona_assets.defs.launch import Wanted
    from persona_assets.demo.build import write_dumps
    from persona_assets.training.process import missing_to_train

    os.environ["PERSONA_ENGINE"] = "offline"  # a demo costs nothing, whatever engine is set for the real work
    os.environ.setdefault("PERSONA_FILES_PER_SHARD", "2")  # two shards per dump, so that there is something to backfill
    os.environ.setdefault("PERSONA_FANOUT", "1")  # one relation per persona and hop: enough to see, done in a minute
    os.environ["PERSONA_SETTLE_S"] = "0"
    for name, value in DEMO.items():
        os.environ.setdefault(f"PERSONA_{name.upper()}", value)
    if missing := missing_to_train():
        err.print(
            f"No model is trained, as {', '.join(missing)} are not installed: pip install 'persona-assets[train]'"
        )
        os.environ["PERSONA_RECIPES"] = ""
    settings = _settings(lake=lake, dumps=dumps)
    files = write_dumps(Path(settings.dumps))
    err.print(f"{len(files)} crawl files in {settings.dumps}/; the answers come from the engine '{settings.engine}'.")
    only = {file.relative_to(settings.dumps).parts[0] for file in files}
    show_run(settings, Wanted(dumps=tuple(sorted(only)), over_dumps=True))
    show_demo_end(settings, _task_tables(settings))


@app.command()
def run(
    dumps: Annotated[
        str | None,
        typer.Option(help="Folder with one folder of crawl files per dump (default: PERSONA_DUMPS, dumps)."),
    ] = None,
    lake: LakeOption = None,
    dump: Annotated[list[str] | None, typer.Option(help="Make this dump; may stand several times.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Make this asset alone; may stand several times.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Make again what is done already (stored calls are reused).")
    ] = False,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Make anew what is stale even where that takes new calls (PERSONA_STALE=calls)."),
    ] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REASON",
            help="Ask again whose answer was set aside as this, as truncated; may stand several times.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="With --again: the limit of the new answers in tokens.")
    ] = None,
) -> None:
    """Take your own crawl files to samples, without the UI; what is done already is left alone.

    What is stale and takes new calls is kept, and named with its cost; at a terminal you are asked whether to make it.

    Example: persona-assets run --asset math_problems --dump 2026-10

    Example: persona-assets run --again truncated --max-tokens 8192
    """
    from persona_assets.cli.run import show_run
    from persona_assets.defs.launch import Wanted
    from persona_assets.tasks.load import datasets

    os.environ.setdefault("PERSONA_SETTLE_S", "0")
    if stale:
        os.environ["PERSONA_STALE"] = "calls"  # the steps read the settings of the environment
    settings = _settings(lake=lake, dumps=dumps)
    if "PERSONA_DUMPS" in os.environ and not Path(settings.dumps).is_dir():
        what = "a file, not a folder of dumps" if Path(settings.dumps).is_file() else "no such folder of dumps"
        raise UsageError(f"{settings.dumps}: {what}; give one with --dumps or PERSONA_DUMPS")
    if max_tokens and not again:
        raise UsageError("--max-tokens is for --again; the limit of all answers is PERSONA_MAX_TOKENS")
    if asset:  # what is named is made, whatever else is
        also = [name for name in asset if name in datasets(settings)]
        settings = _settings(datasets=",".join([*settings.datasets, *also]))
    wanted = Wanted(tuple(dump or ()), tuple(asset or ()), everything)
    show_run(settings, wanted, again=again or (), max_tokens=max_tokens)


@app.command()
def plan(
    dumps: Annotated[
        str | None,
        typer.Option(help="Folder with one folder of crawl files per dump (default: PERSONA_DUMPS, dumps)."),
    ] = None,
    lake: LakeOption = None,
    dump: Annotated[list[str] | None, typer.Option(help="Plan for this dump; may stand several times.")] = None,
    shard: Annotated[list[str] | None, typer.Option(help="Plan for this shard; may stand several times.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Plan for this asset; may stand several times.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Plan again what is materialised already.")] = False,
    tokens_per_second: Annotated[
        float | None,
        typer.Option(help="Answer tokens a second of all GPUs together (default: as in the last day's calls)."),
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(help="GPUs that give this throughput (default: those of the engine vllm, else 1).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the plan as one HTML page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a run would take, before it runs: calls, tokens, money, GPU-hours, disk, rows. Asks and writes nothing.

    Example: persona-assets plan --asset math_problems --tokens-per-second 2500 --gpus 2
    """
    from persona_assets.cli.plan import show_plan
    from persona_assets.plan.plan import Scope

    for name, value in {"tokens-per-second": tokens_per_second, "gpus": gpus}.items():
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"--{name} {value}: give a number above 0")
    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    os.environ.setdefault("PERSONA_SETTLE_S", "0")
    settings = _settings(lake=lake, dumps=dumps)
    scope = Scope(tuple(dump or ()), tuple(shard or ()), tuple(asset or ()), everything)
    show_plan(settings, scope, tokens_per_second=tokens_per_second, gpus=gpus, as_json=as_json, html=html)


@app.command()
def status(
    dumps: Annotated[
        str | None,
        typer.Option(help="Folder with one folder of crawl files per dump (default: PERSONA_DUMPS, dumps)."),
    ] = None,
    lake: LakeOption = None,
    dump: Annotated[list[str] | None, typer.Option(help="Look at this dump; may stand several times.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Look at this asset; may stand several times.")] = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="Also say which stale partitions need calls, and what they would cost.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write the status as one HTML page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how every partition stands: done, stale and why, missing, failed, waiting. Asks and writes nothing.

    Example: persona-assets status --dump 2026-10 --cost
    """
    from persona_assets.cli.status import show_status

    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    os.environ.setdefault("PERSONA_SETTLE_S", "0")
    settings = _settings(lake=lake, dumps=dumps)
    show_status(settings, dump or (), asset or (), cost=cost, as_json=as_json, html=html)


@app.command()
def quality(
    dump: Annotated[list[str] | None, typer.Option(help="Look at this dump alone; may stand several times.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Look at this dataset alone; may stand several times.")
    ] = None,
    lake: LakeOption = None,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page, with figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how diverse the datasets are: near-duplicates, distinct words, self-BLEU, Vendi score, coverage, hops.

    Asks no model that writes; texts are encoded once, and their vectors kept in the lake.

    Example: persona-assets quality --dataset instructions --html quality.html
    """
    from persona_assets.cli.quality import show_quality

    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    show_quality(_settings(lake=lake), dump or (), dataset or (), as_json=as_json, html=html)


@app.command()
def survey(
    name: Annotated[str | None, typer.Argument(help="The survey: its file's name without .yaml.")] = None,
    lake: LakeOption = None,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page, with figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a survey came to: shares with intervals, by attribute, weighted, beside a real survey; reasons; needs.

    Without a name it lists the surveys. Reads the lake and asks nobody.

    Example: persona-assets survey bus-fare --html survey.html
    """
    from persona_assets.cli.survey import show_survey

    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    show_survey(_settings(lake=lake), name, as_json=as_json, html=html)


@app.command()
def questionnaire(
    name: Annotated[
        str | None, typer.Argument(help="The questionnaire: its file's name without .yaml or .json.")
    ] = None,
    lake: LakeOption = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Show this system alone, by its name or model; may stand several times.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page, with figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what models say of themselves: scores with intervals, types, and what they do in situations, side by side.

    Without a name it lists the questionnaires. Reads the lake and asks nobody.

    Example: persona-assets questionnaire everyday --system before --system after --html mindset.html
    """
    from persona_assets.cli.questionnaire import show_questionnaire

    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    show_questionnaire(_settings(lake=lake), name, system or [], as_json=as_json, html=html)


@app.command()
def interviews(
    name: Annotated[str | None, typer.Argument(help="The cast: its file's name without .md, .txt or .yaml.")] = None,
    lake: LakeOption = None,
    system: Annotated[
        list[str] | None,
        typer.Option(help="Show this system alone; of two, also how far the second lies above the first."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page, with figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what systems answer as characters: who speaks, how much, what they cannot know, and scores of judges.

    Without a name it lists the casts. Reads the lake and asks nobody.

    Example: persona-assets interviews edda-harrow --system before --system after --html edda.html
    """
    from persona_assets.cli.interviews import show_interviews

    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    show_interviews(_settings(lake=lake), name, system or [], as_json=as_json, html=html)


@app.command()
def evaluation(
    recipe: Annotated[
        list[str] | None,
        typer.Argument(help="The recipe; several: each is compared with the first."),
    ] = None,
    lake: LakeOption = None,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page, with figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what the models of a recipe reach, beside what they were trained from, or how far recipes lie apart.

    Without a name it lists the recipes. Reads the lake and asks nobody.

    Example: persona-assets evaluation tiny --html tiny.html
    """
    from persona_assets.cli.evaluation import show_evaluation

    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    show_evaluation(_settings(lake=lake), recipe or [], as_json=as_json, html=html)


@app.command()
def chat(
    character: Annotated[str, typer.Argument(help="Name, character_id, or the cast of a profile.")],
    lake: LakeOption = None,
    system: Annotated[
        str | None,
        typer.Option(help="Model of PERSONA_MODELS that plays the character (default: that of the settings)."),
    ] = None,
    place: Annotated[str, typer.Option(help="Where and when you talk.")] = "",
    status: Annotated[str, typer.Option(help="What has happened before.")] = "",
    tells: Annotated[
        str, typer.Option(help="What the prompt tells of the character: profile, or nothing, as in training.")
    ] = "profile",
    visitor: Annotated[str, typer.Option("--as", help="Who you are to the character.")] = "",
    thoughts: Annotated[bool, typer.Option("--thoughts", help="Also show what the character thinks.")] = False,
    log: Annotated[
        Path | None, typer.Option(help="Add the talk to this .jsonl file, as an interview that can be judged.")
    ] = None,
) -> None:
    """Talk with a character; every answer is kept in the ledger.

    Each line that you type is one turn, from a terminal or a pipe. The same talk again is answered from the ledger.

    Example: persona-assets chat "Edda Harrow" --system tuned --tells nothing --log interview_logs/me_tuned_result.jsonl
    """
    from persona_assets.chat import TELLS, Talk
    from persona_assets.cli.chat import talk

    if tells not in TELLS:
        raise UsageError(f"--tells {tells} is unknown; {did_you_mean(tells, TELLS)}")
    if log and (log.suffix != ".jsonl" or not log.parent.is_dir()):
        raise UsageError(f"--log {log}: name a .jsonl file in a folder that is there")
    talk(
        _settings(lake=lake),
        character,
        lambda one: Talk(one, place, status, tells, visitor),
        system,
        log,
        thoughts=thoughts,
    )


@app.command()
def skip(
    shards: Annotated[list[str] | None, typer.Argument(metavar="SHARD...", help="Keys such as 2026-10.0003.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept and shown.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Let these shards in again.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the shards that are left out, with the reasons.")
    ] = False,
    lake: LakeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Leave shards out: nothing is made of them, and their dump is sealed without them.

    Example: persona-assets skip 2026-10.0003 --reason "spam only"
    """
    from persona_assets.cli.skip import leave_out, let_in_again, show_skipped

    settings = _settings(lake=lake)
    keys = shards or []
    if listed and (keys or undo):
        raise UsageError("--list stands alone: give no shard and no --undo")
    if not listed and not keys:
        raise UsageError("name the shards, as in `persona-assets skip 2026-10.0003 --reason TEXT`, or give --list")
    if keys and not undo and not reason.strip():
        raise UsageError("say why with --reason TEXT")
    if undo:
        let_in_again(settings, keys)
    elif keys:
        leave_out(settings, keys, reason.strip())
    else:
        show_skipped(settings, as_json=as_json)


@app.command()
def contained(as_json: JsonFlag = False) -> None:
    """Say what contains the programs here that models wrote; exit code 1 where nothing does, and none is run."""
    from persona_assets.cli.contained import show_contained

    if not show_contained(as_json=as_json):
        raise typer.Exit(1)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Crawl files of any format that is read, plain or compressed.")],
    compare: Annotated[
        str | None,
        typer.Option(help="Published filters to compare our verdicts with, as gopher,c4,fineweb; without the rest."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what the readers make of a file: documents, and rejects by reason."""
    from persona_assets.cli.run import out
    from persona_assets.crawl.inspect import blocks, inspect_files

    if folders := [str(file) for file in files if file.is_dir()]:
        raise UsageError(f"a folder, not a file: {', '.join(folders)}; name the files in it, as {folders[0]}/*")
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    if compare is not None:
        from persona_assets.crawl import compare as comparing

        names = [name.strip() for name in compare.split(",") if name.strip()]
        compared = comparing.compare_files(files, names, load_settings())
        if as_json:
            typer.echo(to_json([one.as_dict() for one in compared]))
        else:
            show(out, *comparing.blocks(compared))
        return
    report = inspect_files(files, load_settings())
    if as_json:
        typer.echo(to_json(report.as_dict()))
    else:
        show(out, *blocks(report))


@app.command()
def rules(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines, JSON, Parquet, CSV or TSV; without it the rules are listed.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Judge by the rules of this task.")] = None,
    persona: Annotated[bool, typer.Option("--persona", help="Judge by the rules of personas.")] = False,
    document: Annotated[bool, typer.Option("--document", help="Judge by the rules of crawled documents.")] = False,
    language: Annotated[
        str | None,
        typer.Option(
            help="Language (en, zh, ru, ...) of rows without a column `language`; told from each if left out."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Column of the text (default: the task's fields, instruction and input, persona, or text)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all rows, with keep, reason and detail: .jsonl or .csv.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say which rows of a file the rules refuse, and why; without a file, list the rules.

    Example: persona-assets rules instructions.jsonl --task instructions --out judged.jsonl
    """
    from persona_assets.cli.rules import judge_of, report_blocks, run_rules, show_rules
    from persona_assets.cli.run import out as console
    from persona_assets.rules.registry import Kind

    settings = load_settings()
    if file is None:
        show_rules(settings, as_json=as_json)
        return
    if sum((task is not None, persona, document)) != 1:
        raise UsageError("say by which rules to judge: one of --task NAME, --persona and --document")
    kind: Kind = "persona" if persona else "document" if document else "sample"
    report = run_rules(file, judge_of(settings, kind, task, column), language, out)
    if as_json:
        typer.echo(to_json(report.as_dict()))
    else:
        show(console, *report_blocks(report))


@app.command()
def dedup(
    file: Annotated[Path, typer.Argument(help=TABLE)],
    column: Annotated[
        str | None, typer.Option(help="Column of texts (default: text, or the only column of strings).")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least Jaccard similarity of words (default: PERSONA_LEXICAL_THRESHOLD, 0.9).")
    ] = None,
    semantic_threshold: Annotated[
        float | None,
        typer.Option(
            help="Least cosine of embeddings of English texts, and what means the same in other languages "
            "(default: PERSONA_SEMANTIC_THRESHOLD, 0.9)."
        ),
    ] = None,
    semantic: Annotated[
        bool | None,
        typer.Option(
            "--semantic/--no-semantic",
            help="Compare embeddings too, a few hundred texts a second on a CPU; --no-semantic skips them "
            "(default: PERSONA_SEMANTIC, yes).",
        ),
    ] = None,
    across_languages: Annotated[
        bool | None,
        typer.Option(
            "--across-languages/--within-languages",
            help="Compare the embeddings of texts in different scripts too (default: PERSONA_ACROSS_LANGUAGES, no).",
        ),
    ] = None,
    strategy: Annotated[
        Literal["auto", "exact", "minhash", "paper"] | None,
        typer.Option(
            help="How lexically near pairs are found; exact: all of them; minhash: by MinHash, each verified, a few "
            "missed; paper: MinHash estimates decide; auto: exact from a threshold of 0.8 on, else minhash "
            "(default: PERSONA_DEDUP_STRATEGY, auto)."
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="Compare with the rows of this file too, which all stand: a row near one of them is a duplicate of "
            "it; may stand several times."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write all rows, with keep, survivor, similarity, method and more: .parquet or .jsonl."),
    ] = None,
    only_kept: Annotated[bool, typer.Option("--only-kept", help="Leave rows that are not kept out of --out.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a report with examples: .html or .md.")] = None,
    memory_mb: Annotated[
        int | None,
        typer.Option(
            help=f"Memory to stay within, MiB, {LEAST_MEMORY_MB} at least (default: PERSONA_MEMORY_LIMIT_MB, 2048)."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find near-duplicates in a column of texts; of near-duplicates the first row is kept.

    Example: persona-assets dedup data.parquet --column text --out marked.parquet --report report.html
    """
    _check_shares(threshold=threshold, semantic_threshold=semantic_threshold)
    if memory_mb is not None and memory_mb < LEAST_MEMORY_MB:
        raise UsageError(f"--memory-mb {memory_mb}: give {LEAST_MEMORY_MB} at least")
    settings = _settings(
        lexical_threshold=threshold,
        semantic_threshold=semantic_threshold,
        semantic=semantic,
        across_languages=across_languages,
        dedup_strategy=strategy,
        memory_limit_mb=memory_mb,
    )
    from persona_assets.cli.run import row_progress, show_outcome
    from persona_assets.dedup.file import dedup_file
    from persona_assets.dedup.keys import Scheme
    from persona_assets.dedup.outcome import Job

    job = Job(
        path=file,
        scheme=Scheme.of(settings.dedup_strategy, settings.lexical_threshold, settings.minhash_recall),
        column=column,
        semantic=settings.semantic_threshold if settings.semantic else None,
        encoder=settings.encoder,
        across=settings.across_languages,
        max_unknown=settings.max_unknown_share,
        memory=settings.memory_limit_mb << 20,
        out=out,
        report=report,
        against=tuple(against or ()),
        only_kept=only_kept,
    )
    with _ended_by_sigterm(), row_progress(encoding=job.semantic is not None) as progress:
        outcome = dedup_file(job, progress)
    if as_json:
        typer.echo(to_json(outcome.as_dict()))
    else:
        show_outcome(outcome, [place for place in (out, report) if place])


@app.command()
def decontaminate(
    file: Annotated[Path, typer.Argument(help=TABLE)],
    against: Annotated[
        list[Path], typer.Option(help="Benchmark file, or a folder of such files; may stand several times.")
    ],
    column: Annotated[
        str | None, typer.Option(help="Column of texts (default: text, or the only column of strings).")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Key of the benchmarks' questions (default: question, problem, prompt, ...).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the rows that are kept: .parquet or .jsonl.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report with examples, .html or .md, or every overlap, .jsonl.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find rows that share 13 words in a row (20 characters in Chinese) with an item of a benchmark.

    Example: persona-assets decontaminate mine.parquet --column problem --against benchmarks/ --out clean.parquet
    """
    from persona_assets.cli.run import row_progress, show_overlaps
    from persona_assets.contamination.file import Job, decontaminate_file

    with _ended_by_sigterm(), row_progress() as progress:
        outcome = decontaminate_file(Job(file, tuple(against), column, key, out, report), progress)
    if as_json:
        typer.echo(to_json(outcome.as_dict()))
    else:
        show_overlaps(outcome, [place for place in (out, report) if place])


@app.command("check-pairs")
def check_pairs(
    answers: Annotated[
        list[Path] | None,
        typer.Argument(metavar="A B", help="Two files of the same instructions, each answered from one pole."),
    ] = None,
    dpo: Annotated[
        list[Path] | None,
        typer.Option(help="Preferences, a chosen and a rejected answer in each row; may stand several times."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Language of rows that do not say theirs, such as en (default: told by the text)."),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Pairs of a language that are encoded.")] = 5_000,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check pairs of answers: the same, a type named, other numbers or code, alike in meaning; are poles told apart?

    Reads JSON lines, JSON, Parquet, CSV and TSV, and asks no model that writes.

    Example: persona-assets check-pairs en_energy_extraversion.json en_energy_introversion.json --html pairs.html
    """
    from persona_assets.cli.pairs import show_pairs

    if language is not None and not (len(language) == 2 and language.isascii() and language.islower()):
        raise UsageError(f"--language {language}: give two letters, such as en, zh or ru")
    with _ended_by_sigterm():
        show_pairs(_settings(), answers or (), dpo or (), language=language, sample=sample, html=html, as_json=as_json)


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="A dataset, or a view of one.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it is new or empty.")],
    form: Annotated[
        str, typer.Option("--format", help="chatml, alpaca, sharegpt, dpo, plain, mindset, character or lm_eval.")
    ] = "plain",
    prompt: Annotated[str, typer.Option(help="Column of the prompt, of the dataset or <parent>.<column>.")] = "",
    response: Annotated[str, typer.Option(help="Column of the response, as --prompt.")] = "",
    licence: Annotated[str, typer.Option("--license", help="Licence that the card names.")] = "other",
    source_license: Annotated[
        list[str] | None,
        typer.Option(metavar="RELEASE=LICENCE", help="Licence of a crawl release's pages; may stand several times."),
    ] = None,
    quality: Annotated[
        Path | None, typer.Option(help="What persona-assets quality --json wrote, for the card.")
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Push it to the hub of HF_ENDPOINT, with the token of HF_TOKEN."),
    ] = None,
    lake: LakeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a dataset as a folder of Parquet files with a card, for training; each row keeps its id.

    Example: persona-assets export instruction_answers --format chatml --out out/answers --push me/answers

    Example: persona-assets export behaviour --format mindset --out out/behaviour

    Example: persona-assets export logged_interviews --format character --out out/interviews

    Example: persona-assets export evaluation_items --format lm_eval --out out/tasks
    """
    from persona_assets.export.folder import export as write
    from persona_assets.export.harness import LM_EVAL, export_tasks
    from persona_assets.export.hub import Hub
    from persona_assets.export.interviews import CHARACTER, export_interviews
    from persona_assets.export.poles import MINDSET, export_poles
    from persona_assets.export.rows import Export
    from persona_assets.graph import assets

    settings = _settings(lake=lake)
    layouts = {
        MINDSET: ("Machine Mindset", export_poles),
        CHARACTER: ("Character-LLM", export_interviews),
        LM_EVAL: ("lm-evaluation-harness", export_tasks),
    }
    if form in layouts:
        of, write_as = layouts[form]
        if push or prompt or response or quality or source_license:
            raise UsageError(f"--format {form} writes the files of {of} and takes no further option")
        with _ended_by_sigterm():
            files = write_as(open_lake(settings.lake), assets(settings), source, out)
        told = (
            to_json({"out": str(out), "rows": files})
            if as_json
            else f"{out}: {sum(files.values()):,} rows in {len(files)} files"
        )
        typer.echo(told)
        return
    hub = Hub.of_environment(push) if push else None
    sources = dict(_pair("--source-license", one) for one in source_license or ())
    job = Export(source, out, form, prompt, response, licence, quality, sources)
    with _ended_by_sigterm():
        written = write(open_lake(settings.lake), assets(settings), job, again=hub is not None)
        pushed = hub.push(out, push) if hub and push else None
    if as_json:
        rows = {"rows": written.splits, "left_out": dict(written.left_out)} if written else {}
        typer.echo(to_json({"out": str(out), **rows, **({"pushed": asdict(pushed)} if pushed else {})}))
        return
    counts = [f"{count:,} rows of {split}" for split, count in written.splits.items()] if written else []
    counts += [f"{count:,} left out: {why}" for why, count in sorted(written.left_out.items())] if written else []
    typer.echo(f"{out}: {', '.join(counts) or 'written before of the same'}")
    if pushed:
        typer.echo(f"{pushed.url}: {pushed.sent} files sent, {pushed.there} there before, {pushed.deleted} deleted")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the program as an error does, so that temporary folders go."""

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would cut the clearing away short
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in text.partition("="))
    if not (name and value):
        raise UsageError(f"{option} {text}: give it as name=value")
    return name, value


def _check_shares(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not 0 < value <= 1:
            raise UsageError(f"--{name.replace('_', '-')} {value}: give a number above 0 and at most 1")


@app.command()
def audit(
    row_id: Annotated[str, typer.Argument(metavar="ID", help="doc_..., per_..., smp_... or call_...")],
    lake: LakeOption = None,
    as_json: JsonFlag = False,
    html: Annotated[Path | None, typer.Option(help="Write the audit as one HTML page.")] = None,
    descendants: Annotated[bool, typer.Option(help="Also list all that came from the row.")] = False,
) -> None:
    """Show the whole ancestry of a row, each link verified; exit code 1 where a verification fails."""
    from persona_assets.cli.run import show_audit

    settings = _settings(lake=lake)
    if html and not html.parent.is_dir():
        raise UsageError(f"--html {html}: no such folder {html.parent}")
    if not show_audit(settings, row_id, as_json=as_json, html=html, with_descendants=descendants):
        raise typer.Exit(1)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT on the catalogue; `SHOW TABLES` lists the views.")],
    lake: LakeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Query the catalogue, read-only."""
    from persona_assets.cli.run import show_frame
    from persona_assets.lake.catalog import query as run_query

    settings = _settings(lake=lake)
    frame = run_query(open_lake(settings.lake), query, _task_tables(settings))
    if as_json:
        typer.echo(to_json(frame.to_dicts()))
    else:
        show_frame(frame)


@app.command()
def catalog(
    path: Annotated[Path | None, typer.Argument(help="Where to write it (default: <lake>/catalog.duckdb).")] = None,
    lake: LakeOption = None,
) -> None:
    """Write the catalogue as a .duckdb file of views, for notebooks and BI tools."""
    from persona_assets.lake.catalog import write_catalog

    settings = _settings(lake=lake)
    opened = open_lake(settings.lake)
    typer.echo(write_catalog(opened, path or Path(opened.root) / "catalog.duckdb", _task_tables(settings)))


@app.command()
def migrate(
    lake: LakeOption = None,
    report: Annotated[
        bool, typer.Option("--report", help="Only tell the Dagster instance what the lake holds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring a lake of version 0.1 up to date, without a model call, and tell Dagster what it holds.

    It can be stopped at any moment and called again. No other run may use the lake meanwhile.
    """
    from persona_assets.cli.migrate import show_migration

    show_migration(_settings(lake=lake), only_report=report, as_json=as_json)


def main() -> None:
    """Entry point of the program; ends the process."""
    code = run_cli()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: while the interpreter is taken down, DuckDB 2.0's binding lists its own types on stderr as leaks.
    os._exit(code)


def run_cli() -> int:
    """Run the command line; errors that a person can act on are one line on stderr. Returns the exit code.

    0: done; 1: failed, or an audit found something; 2: wrong use.
    """
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (PersonaAssetsError, OSError) as error:  # the operating system's words name the path
        say(err, f"error: {error}")
        return 2 if isinstance(error, UsageError) else 1
    return 0
