"""Lakes that hold problems and their solutions, written or made by the offline engine, and their votes."""

from collections.abc import Mapping, Sequence
from typing import Any

from persona_assets.checks.gates import Around, run_gates
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import ASSET_TABLES, RAW_DOCUMENTS
from persona_assets.settings import Settings
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets_tests.rows import NOW, SHARD, context, document, draft, put

TABLES: dict[str, Table] = {name: step.table for name, step in datasets(Settings()).items()}


def computed(name: str) -> DerivedStep:
    """The step of a bundled function."""
    step = datasets(Settings())[name]
    assert isinstance(step, DerivedStep)
    return step


def row(table: str, name: str, **values: Any) -> dict[str, Any]:
    """A row of a task with id smp_<name>; columns that are not given are null, or empty texts and lists."""
    declared = TABLES[table]
    empty = {
        column.name: None if column.nullable else {"List": []}.get(type(column.dtype).__name__, "")
        for column in declared.columns
    }
    numbers = {column: 0 for column in ("attempt", "template_version") if column in declared.polars}
    told = {"sample_id": f"smp_{name}", "task": table, "language": "en", "document_id": "doc_a", "shard": SHARD}
    return {**empty, **numbers, **told, "persona_ids": ["per_a"], "run_id": "run", "created_at": NOW} | values


def put_problem(
    lake: Lake,
    of: str,
    solutions: Mapping[str, Sequence[Mapping[str, Any]]],
    shard: str = SHARD,
    **columns: Mapping[str, Any],
) -> None:
    """Write problems of the task `<of>_problems` by name with their solutions; `columns` are those of the problems."""
    pages = {name: columns.get(name, {}).get("document_id", "doc_a") for name in solutions}
    put(
        lake,
        RAW_DOCUMENTS,
        *(document(one.removeprefix("doc_"), shard=shard) for one in {*pages.values()}),
        shard=shard,
    )
    shared = {"problem": "?", "answer": None, "shard": shard}
    rows = [row(f"{of}_problems", name, **shared | dict(columns.get(name, {}))) for name in solutions]
    put(lake, TABLES[f"{of}_problems"], *rows, shard=shard)
    found = []
    for name, given in solutions.items():
        about = {key: value for key, value in columns.get(name, {}).items() if key in ("language", "document_id")}
        for number, one in enumerate(given):
            told = {"parent_ids": [f"smp_{name}"], "attempt": number, "question_id": f"qst_{name}_{number}"}
            found.append(
                row(
                    f"{of}_solutions", f"{name}_{number}", **{"answer": None, "shard": shard} | about | told | dict(one)
                )
            )
    put(lake, TABLES[f"{of}_solutions"], *found, shard=shard)


def words(solution: str, answer: str | None = None) -> dict[str, Any]:
    """A solution in words."""
    return {"method": "chain_of_thought", "solution": solution, "answer": answer}


def code(solution: str) -> dict[str, Any]:
    """A solution by a program."""
    return {"method": "program_of_thought", "solution": solution, "answer": None}


def votes(lake: Lake, name: str, shard: str = SHARD, **settings: Any) -> dict[str, dict[str, Any]]:
    """The rows of a vote, by the problem's name."""
    step = computed(name)
    step.run(context(lake, Settings(**settings)), shard)
    rows = lake.read(step.table, shard).to_dicts()
    return {found["parent_ids"][0].removeprefix("smp_").rpartition("_")[0]: found for found in rows}


def failing(lake: Lake, name: str, shard: str = SHARD, **settings: Any) -> dict[str, list[dict[str, Any]]]:
    """The gates of a vote that do not pass, with rows that fail; what was written by hand came from no persona."""
    table = computed(name).table
    around = Around({**ASSET_TABLES, **TABLES})
    gates = run_gates(lake, draft(lake, table, shard), Settings(**settings), around)
    return {gate.name: gate.head for gate in gates if gate.failing and gate.name != "parents_exist"}
