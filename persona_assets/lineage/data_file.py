"""The start of a chain that begins with a data file: the row, read again where the file is still there."""

from persona_assets.lake.schemas import REJECTED
from persona_assets.lineage.find import Found
from persona_assets.lineage.model import Node, Verification, unverified, verdict
from persona_assets.lineage.verify import differences
from persona_assets.tasks.data_files import GONE, DataStep

NAME = "data_row"


def data_node(step: DataStep, found: Found) -> Node:
    """The place in a data file of a row, or of what was set aside, with its verification `data_row`."""
    row = found.row
    place = row["record_offset"] if found.table is REJECTED else row["place"]
    node = Node(
        "data_file", f"{row['file']}@{place}", step.name, found.partition, {"file": row["file"], "place": place}
    )
    node.verifications.append(_read_again(step, found))
    return node


def _read_again(step: DataStep, found: Found) -> Verification:
    row, key = found.row, found.partition
    if key not in step.look().sources:
        return unverified(NAME, GONE)
    if found.table is REJECTED:
        aside = [one for one in step.rows(key) if not isinstance(one, dict)]
        same = any((reject.row_id, reject.reason) == (row["row_id"], row["reason"]) for _, reject in aside)
        return verdict(NAME, same, f"the file has nothing that is set aside as {row['reason']} there now")
    for one in step.rows(key):
        if isinstance(one, dict) and one["row_id"] == row["row_id"]:
            now = {name: one.get(name) for name in found.table.polars if name not in _NOT_COMPARED}
            different = differences({name: row[name] for name in now}, now, found.table)
            return verdict(NAME, not different, different)
    return verdict(NAME, False, "the file has changed: this row is no longer in it")


_NOT_COMPARED = ("place", "shard", "run_id", "created_at")
