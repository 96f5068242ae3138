r"""Items of evaluations as tasks of lm-evaluation-harness, which then asks them of any model, offline.

A suite of a recipe is a task, `persona_assets.<recipe>.<suite>`: a YAML file, and beside it JSON lines with an item
each, once for all systems. `persona_assets.<recipe>` is the group of a recipe's tasks, `persona_assets` that of all.

| kind of suite | task | figures |
| --- | --- | --- |
| `maths` | `generate_until` | `exact_match` of the final answer, as `ANSWER` finds it |
| `preference` | `multiple_choice` | `acc`, `acc_norm` (by characters), `acc_bytes` |
| `loss` | `loglikelihood` | `bits_per_byte`, `byte_perplexity` |
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl
import yaml

from persona_assets.errors import UsageError
from persona_assets.evaluation.tables import BASE, CHOSEN, LOSS, MATHS, PREFERENCE
from persona_assets.export import per_byte
from persona_assets.export.folder import whole
from persona_assets.export.listed import LINES
from persona_assets.graph import Asset
from persona_assets.ids import Json
from persona_assets.lake import Lake
from persona_assets.training.job import BEFORE
from persona_assets.view import markdown
from persona_assets.view.blocks import Block, Code, Line, Lines, Page, Section, Table, left, right

LM_EVAL = "lm_eval"
ITEMS, MODELS = "evaluation_items", "fine_tuned_model"
GROUP = "persona_assets"
_FIGURE = r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?"
# The final answer of a text, in the first group that is not empty. From what is tried first to what is tried last: the
# last box, what follows the last ####, what follows a single # at the end, a number that is said to be the answer, the
# last number.
ANSWER = (
    r"(?s)^(?:"
    r".*\\(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})+)\}"
    r"|.*####\s*([^\n]+)"
    r"|.*[^\s#]#\s?([^\s#][^#\n]*)$"
    rf"|.*(?:[Aa]nswer is|答案[是为]?|[Оо]твет)[^\w\n-]*({_FIGURE})"
    rf"|(?:.*[^\d.,/-])?({_FIGURE})"
    r")"
)
# What makes no difference between two answers: separators of thousands, signs of dollars, white space, and what ends a
# whole number or a sentence.
IGNORED = [r",(?=\d{3}(?!\d))", r"\$", r"\s+", r"\.0+$", r"\.$"]
_SHARED = ("item_id", "stratum", "language", "prompt")  # columns of each document, beside its `id`
_COUNTED: dict[str, Json] = {"aggregation": "mean", "higher_is_better": True}


class _Function(str):
    """A function that a YAML file names."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes them by the harness's tag."""


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


class _Task(NamedTuple):
    """What the harness is told of a suite beside its documents, and these."""

    told: dict[str, Any]
    documents: pl.DataFrame


def _maths(items: pl.DataFrame) -> _Task:
    limit = items["answered_by"].struct.field("max_tokens")[0]
    extract = [{"function": "regex", "regex_pattern": ANSWER}, {"function": "take_first"}]
    told = {
        "output_type": "generate_until",
        "doc_to_target": "gold",
        "generation_kwargs": {"do_sample": False, "until": [], **({"max_gen_toks": limit} if limit else {})},
        "filter_list": [{"name": "final_answer", "filter": extract}],
        "metric_list": [{"metric": "exact_match", **_COUNTED, "ignore_case": True, "regexes_to_ignore": IGNORED}],
    }
    return _Task(told, items.select(*_about(), "gold"))


def _preference(items: pl.DataFrame) -> _Task:
    told = {
        "output_type": "multiple_choice",
        "doc_to_choice": "choices",
        "doc_to_target": "label",
        "metric_list": [{"metric": name, **_COUNTED} for name in ("acc", "acc_norm", "acc_bytes")],
    }
    ordered = items.with_columns(first=pl.col("role") != CHOSEN).sort("first", maintain_order=True)
    pairs = ordered.group_by("group", maintain_order=True).agg(
        pl.exclude("item_id", "continuation").first(), choices="continuation"
    )
    return _Task(told, pairs.rename({"group": "item_id"}).select(*_about(), "choices", label=pl.lit(0)))


def _loss(items: pl.DataFrame) -> _Task:
    figures = {"bits_per_byte": "bits_per_byte", "byte_perplexity": "weighted_perplexity"}
    told = {
        "output_type": "loglikelihood",
        "doc_to_target": "continuation",
        "process_results": _Function(f"{Path(per_byte.__file__).stem}.{per_byte.per_byte.__name__}"),
        "metric_list": [{"metric": name, "aggregation": by, "higher_is_better": False} for name, by in figures.items()],
    }
    return _Task(told, items.select(*_about(), "continuation"))


_BY_KIND: Mapping[str, Callable[[pl.DataFrame], _Task]] = {MATHS: _maths, PREFERENCE: _preference, LOSS: _loss}


def _about() -> list[pl.Expr]:
    """What each document says of its item; `id` is that of its row, which `persona-assets audit` takes."""
    return [pl.col("sample_id").alias("id"), *map(pl.col, _SHARED)]


def export_tasks(lake: Lake, graph: Mapping[str, Asset], source: str, out: Path) -> dict[str, int]:
    """Write the tasks of all recipes of the lake into a new or empty folder; by file its items.

    The folder is whole or not there. The items of one recipe are held at once.

    Raises:
        UsageError: the source is not `evaluation_items`, it has no row that the harness can be asked, or the folder is
            not empty.
    """
    if source != ITEMS:
        raise UsageError(f"--format {LM_EVAL} is for {ITEMS}, not for {source}: choose another format")
    counts: dict[str, int] = {}
    left_out: list[tuple[str, str, str]] = []
    with whole(out) as folder:
        folder.mkdir(parents=True)
        groups = []
        for recipe, suite, kind, items in _suites(lake, graph):
            if kind not in _BY_KIND:
                left_out.append((recipe, suite, kind))
                continue
            items = items.filter(pl.col(BEFORE).list.len().fill_null(0) == 0)
            if items.is_empty():
                left_out.append((recipe, suite, "conversations"))
                continue
            task, name = _BY_KIND[kind](items), f"{recipe}.{suite}"
            counts[f"{name}{LINES}"] = _write(folder, name, task)
            groups.append((recipe, f"{GROUP}.{name}"))
        if not counts:
            kinds = ", ".join(sorted({kind for *_, kind in left_out}))
            why = f"has no suite of a kind that the harness knows ({kinds} is not)" if kinds else "has no rows"
            raise UsageError(f"{ITEMS} {why}: evaluate a recipe first")
        for group, tasks in _groups(groups).items():
            _write_yaml(folder / f"{group}.yaml", {"group": group, "task": tasks})
        shutil.copyfile(per_byte.__file__, folder / Path(per_byte.__file__).name)
        (folder / "README.md").write_text(markdown.render_page(_page(lake, graph, counts, left_out)), encoding="utf-8")
    return counts


def _suites(lake: Lake, graph: Mapping[str, Asset]) -> Iterator[tuple[str, str, str, pl.DataFrame]]:
    """Recipe, suite, kind and items, as the base was asked them, but for those that nobody was asked."""
    table = graph[ITEMS].table
    for recipe in sorted(lake.keys(table)):
        rows = lake.read(table, recipe).filter(pl.col("system") == BASE, pl.col("left_out").is_null())
        for (suite, kind), items in rows.group_by("suite", "kind", maintain_order=True):
            yield recipe, str(suite), str(kind), items


def _groups(tasks: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The tasks of each recipe's group, and the groups of the group of all."""
    found: dict[str, list[str]] = {}
    for recipe, task in tasks:
        found.setdefault(f"{GROUP}.{recipe}", []).append(task)
    return {**found, GROUP: list(found)}


def _write(folder: Path, name: str, task: _Task) -> int:
    """Write a task's two files; how many documents it has."""
    with (folder / f"{name}{LINES}").open("wb") as out:
        out.writelines(orjson.dumps(row) + b"\n" for row in task.documents.iter_rows(named=True))
    shared = {
        "task": f"{GROUP}.{name}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{name}{LINES}"}},  # as seen from where the harness is started
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_text": "prompt",
        "target_delimiter": "",
        "metadata": {"version": 1},
    }
    _write_yaml(folder / f"{name}.yaml", {**shared, **task.told})
    return task.documents.height


def _write_yaml(path: Path, told: Mapping[str, Any]) -> None:
    path.write_text(yaml.dump(dict(told), Dumper=_Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")


# The page beside them

_RUN = (
    "HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 lm_eval run --model hf --model_args pretrained=LAKE/models/ID/model "
    f"--include_path . --tasks {GROUP} --apply_chat_template --batch_size 16 --log_samples --output_path results"
)
_USE: list[Line] = [
    ("Install the harness: ", Code('pip install "lm_eval[hf]==0.4.13"'), ". Start it in this folder:"),
    (Code(_RUN),),
    (
        Code("LAKE"), " is the folder of the lake, ", Code("ID"), " a model of those below; what one was trained from "
        "lies beside it, in ", Code("ID/base"), ", where it was made for it. ", Code("--tasks"),
        " takes the group of all, of a recipe, or a task.",
    ),
    (
        "Each document has the ", Code("item_id"), " that rows of ", Code("evaluation_grades"), " have, and as ",
        Code("id"), " its row: ", Code("persona-assets audit ID"), " leads from there to its page or file.",
    ),
]  # fmt: skip
_DIFFERENCES: list[Line] = [
    (
        Code("maths"),
        ": an answer counts where it has the characters of the right one, but for separators of thousands, signs of "
        "dollars and white space. Persona Assets also takes other forms of a number, words, and algebra.",
    ),
    (
        Code("preference"),
        ": the harness compares whole texts, or texts by character or byte; Persona Assets compares them by token.",
    ),
    (
        Code("loss"),
        ": the log-probabilities are the same. The harness divides them by bytes, Persona Assets by tokens.",
    ),
    "Items that go on from earlier messages are left out: the harness is given one message.",
    "A prompt that leaves no room for the answer is cut by the harness. Persona Assets counts it as unanswered.",
    "A chat template that ends in white space: the harness scores that as the beginning of the text.",
]


def _page(
    lake: Lake, graph: Mapping[str, Asset], counts: Mapping[str, int], left_out: list[tuple[str, str, str]]
) -> Page:
    tasks = [(Code(f"{GROUP}.{name.removesuffix(LINES)}"), f"{items:,}") for name, items in counts.items()]
    blocks: list[Block] = [
        Section("Tasks", [Table([*left("task"), *right("items")], tasks)]),
        Section("How to run them", [Lines(_USE), _models(lake, graph, counts)]),
        Section("What differs from Persona Assets' own figures", [Lines(_DIFFERENCES)]),
    ]
    if left_out:
        told: list[Line] = [(Code(f"{recipe}.{suite}"), ", of kind ", Code(kind)) for recipe, suite, kind in left_out]
        blocks.append(Section("Suites that the harness has no figure for, which were left out", [Lines(told)]))
    note = "What models were asked in evaluations of recipes, each item once. No model was trained on it."
    return Page("Evaluation items for lm-evaluation-harness", note, blocks)


def _models(lake: Lake, graph: Mapping[str, Asset], counts: Mapping[str, int]) -> Table:
    """The models that were asked these items here."""
    table, recipes = graph[MODELS].table, {re.sub(r"\.[^.]*\.jsonl$", "", name) for name in counts}
    rows = [
        (Code(recipe), f"{row['seed']}", Code(row["model"].removeprefix("lake:")), Code(row["base"]))
        for recipe in sorted(recipes & set(lake.keys(table)))
        for row in lake.read(table, recipe).sort("seed").iter_rows(named=True)
    ]
    return Table([*left("recipe"), *right("seed"), *left("model", "trained from")], rows)
