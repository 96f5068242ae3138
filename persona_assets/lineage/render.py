"""An audit for a terminal, as JSON values, and as one HTML page. Web text is data in all three."""

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from persona_assets.lineage.model import Audit, CallRecord, Node, Status, Verification
from persona_assets.view.html import template
from persona_assets.view.safe import one_line

SHOWN = 240  # characters of a text on the terminal: about three lines at 100 columns
DETAIL = 160  # characters of a verification's or fate's detail there
MARKS = {Status.OK: "ok", Status.FAILED: "FAILED", Status.UNVERIFIED: "unverified"}
_STYLES = {Status.OK: "green", Status.FAILED: "bold red", Status.UNVERIFIED: "yellow"}


# Terminal


def tree(audit: Audit) -> Tree:
    """The chain as a tree: the row asked about at the root, what it came from below it."""
    counts = ", ".join(f"{count} {MARKS[status]}" for status, count in audit.counts().items() if count)
    title = Text(f"{audit.row_id}  ", style="bold")
    title.append("ok" if audit.ok else "FAILED", _STYLES[Status.OK if audit.ok else Status.FAILED])
    title.append(f"  ({counts})", "dim")
    root = Tree(title, guide_style="dim")
    _grow(root, audit.root, set())
    return root


def _grow(above: Tree, node: Node, met: set[int]) -> None:
    if id(node) in met:
        above.add(Text(f"{node.kind} {node.id} (shown above)", "dim"))
        return
    met.add(id(node))
    branch = above.add(Text("\n").join(_lines(node)))
    for parent in node.parents:
        _grow(branch, parent, met)


def _lines(node: Node) -> list[Text]:
    lines = [
        Text.assemble((node.kind, "bold"), " ", (one_line(node.id, SHOWN), "cyan")),
        Text(one_line(_place(node), SHOWN), "dim"),
    ]
    if node.text:
        lines.append(Text(one_line(node.text, SHOWN)))
    if node.call:
        line = Text() if node.kind == "call" else Text.assemble(("call ", "bold"), (node.call.call_id, "cyan"), "  ")
        lines.append(line.append(one_line(_call_facts(node.call), SHOWN), "dim"))
    lines += [
        Text(f"made from all {count:,} rows of {of}, of which some follow", "dim") for of, count in node.made_of.items()
    ]
    lines += [Text(one_line(f"{fate.asset}: {fate.outcome} {fate.detail}", DETAIL), "dim") for fate in node.fate]
    lines += _check_line(node)
    return lines + _verification_lines(list(node.all_verifications()))


def _place(node: Node) -> str:
    row, parts = node.row, [f"{node.table} {node.partition}"]
    if node.relation:
        parts.append(f"{node.relation}, hop {row['hop']}")
    if "url" in row:
        parts.append(row["url"] or ("a given persona" if row.get("kind") == "persona" else "no address"))
    if "run_id" in row:
        parts.append(f"run {row['run_id']}, {row['created_at']:%Y-%m-%d %H:%M:%S}")
    return "; ".join(parts)


def _call_facts(call: CallRecord) -> str:
    row = call.row
    repaired = ", a repair" if call.repair_of else ""
    turns, before = 1, call.repair_of or call
    while before.after:
        turns, before = turns + 1, before.after.repair_of or before.after
    repaired += f", turn {turns}" if turns > 1 else ""
    repaired += f", after a thought of {len(row['thought']):,} characters" if row["thought"] else ""
    return f"{row['model']}, {row['tokens_in']}+{row['tokens_out']} tokens, {row['finish_reason']}{repaired}"


def _check_line(node: Node) -> list[Text]:
    if not node.checks:
        return []
    bad = [check.check for check in node.checks if not check.passed]
    said = f"failed {', '.join(bad)}" if bad else f"all {len(node.checks)} passed"
    return [Text(one_line(f"checks of the partition: {said}", SHOWN), "red" if bad else "dim")]


def _verification_lines(verifications: list[Verification]) -> list[Text]:
    """What is right on one line, everything else on its own."""
    right = dict.fromkeys(found.name for found in verifications if found.status is Status.OK)
    lines = [Text.assemble((MARKS[Status.OK], _STYLES[Status.OK]), f" {', '.join(right)}")] if right else []
    for found in verifications:
        if found.status is not Status.OK:
            about = f" ({found.subject})" if found.subject else ""
            said = one_line(f"{found.name}{about}: {found.detail}", 2 * DETAIL)
            lines.append(Text.assemble((MARKS[found.status], _STYLES[found.status]), f" {said}"))
    return lines


# JSON


def as_dict(audit: Audit) -> dict[str, Any]:
    """Everything that was found, as JSON values; ancestors before what came from them."""
    return {
        "id": audit.row_id,
        "ok": audit.ok,
        "counts": {MARKS[status]: count for status, count in audit.counts().items()},
        "chain": [_values(node) for node in audit.nodes()],
    }


def _values(found: Any) -> Any:  # noqa: ANN401 - anything that was found
    """JSON values of it; of a parent, its kind and id."""
    if isinstance(found, Status):
        return MARKS[found]
    if is_dataclass(found):
        values = {one.name: _values(getattr(found, one.name)) for one in fields(found) if one.name != "parents"}
        parents = [{"kind": one.kind, "id": one.id} for one in found.parents] if isinstance(found, Node) else None
        return values if parents is None else values | {"parents": parents}
    if isinstance(found, dict):
        return {name: _values(value) for name, value in found.items()}
    if isinstance(found, list):
        return [_values(value) for value in found]
    return found.isoformat() if isinstance(found, datetime) else found


# HTML


def html(audit: Audit) -> str:
    """One self-contained page, crawl record first; every value is escaped, and nothing is loaded from anywhere."""
    return template(Path(__file__).with_name("audit.html.j2"), cell=_cell, seconds=_seconds).render(
        audit=as_dict(audit), title=f"Audit of {audit.row_id}"
    )


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(moment: str) -> str:
    """An ISO time to the second."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC"
