"""An audit for a terminal, as JSON values, and as one HTML page. Web text is data in all three."""

import json
import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from persona_assets.lineage.model import Audit, CallRecord, Node, Status, Verification
from persona_assets.text.page import page

SHOWN = 240  # characters of a text on the terminal: about three lines at 100 columns
DETAIL = 160  # characters of a verification's or fate's detail there
# C0 and C1 controls, and what reorders or hides text: a page's text must not drive the terminal or reverse a line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
MARKS = {Status.OK: "ok", Status.FAILED: "FAILED", Status.UNVERIFIED: "unverified"}
_STYLES = {Status.OK: "green", Status.FAILED: "bold red", Status.UNVERIFIED: "yellow"}


def plain(text: str) -> str:
    """`text` with control, reordering and invisible characters escaped, as backslash x1b; line ends and tabs stay."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def one_line(text: str, limit: int = SHOWN) -> str:
    """`text` on one line, safe to print, at most `limit` characters."""
    line = plain(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


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
        Text.assemble((node.kind, "bold"), " ", (one_line(node.id), "cyan")),
        Text(one_line(_place(node)), "dim"),
    ]
    if node.text:
        lines.append(Text(one_line(node.text)))
    if node.call:
        line = Text() if node.kind == "call" else Text.assemble(("call ", "bold"), (node.call.call_id, "cyan"), "  ")
        lines.append(line.append(one_line(_call_facts(node.call)), "dim"))
    lines += [Text(one_line(f"{fate.asset}: {fate.outcome} {fate.detail}", DETAIL), "dim") for fate in node.fate]
    lines += _check_line(node)
    return lines + _verification_lines(list(node.all_verifications()))


def _place(node: Node) -> str:
    row, parts = node.row, [f"{node.table} {node.partition}"]
    if node.relation:
        parts.append(f"{node.relation}, hop {row['hop']}")
    if "url" in row:
        parts.append(row["url"])
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
    return [Text(one_line(f"checks of the partition: {said}"), "red" if bad else "dim")]


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
        "chain": [_node_dict(node) for node in audit.nodes()],
    }


def _node_dict(node: Node) -> dict[str, Any]:
    return {
        "kind": node.kind,
        "id": node.id,
        "table": node.table,
        "partition": node.partition,
        "parents": [{"kind": parent.kind, "id": parent.id} for parent in node.parents],
        "row": _json(node.row),
        "text": node.text,
        "call": _call_dict(node.call),
        "fate": [asdict(fate) for fate in node.fate],
        "checks": [asdict(check) for check in node.checks],
        "verifications": [_verification_dict(found) for found in node.verifications],
    }


def _call_dict(call: CallRecord | None) -> dict[str, Any] | None:
    if call is None:
        return None
    return {
        "call_id": call.call_id,
        "part": call.part,
        "row": _json(call.row),
        "messages": [dict(message) for message in call.messages],
        "repair_of": _call_dict(call.repair_of),
        "after": _call_dict(call.after),
        "verifications": [_verification_dict(found) for found in call.verifications],
    }


def _verification_dict(found: Verification) -> dict[str, str]:
    return {
        "name": found.name,
        "status": MARKS[found.status],
        "detail": found.detail,
        "subject": found.subject,
    }


def _json(value: Any) -> Any:  # noqa: ANN401 - any stored value
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


# HTML


def html(audit: Audit) -> str:
    """One self-contained page, crawl record first; every value is escaped, and nothing is loaded from anywhere."""
    return page(Path(__file__).parent / "page.html.j2", plain=plain, cell=_cell, seconds=_seconds).render(
        audit=as_dict(audit)
    )


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _seconds(moment: str) -> str:
    """An ISO time to the second."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC"
