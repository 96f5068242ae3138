"""The audit of rows that a declared function computed: it is run again on what the partition was made from."""

import polars as pl

from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.lineage.find import Found
from persona_assets.lineage.model import Verification, failed, verdict
from persona_assets.lineage.steps import Steps
from persona_assets.lineage.verify import differences
from persona_assets.settings import Settings
from persona_assets.tasks.rows import Scan, partition_as_it_is

NAME = "row_computes_again"


class Computed:
    """Verifies computed rows; each partition is computed once per audit."""

    def __init__(self, lake: Lake, steps: Steps, settings: Settings) -> None:
        """Bind to a lake; nothing is computed yet."""
        self.lake, self.steps, self.settings = lake, steps, settings
        self._known: dict[tuple[str, str], pl.DataFrame | str] = {}

    def row(self, found: Found) -> list[Verification]:
        """`id_recomputes`, and `row_computes_again`: the function gives this row, equal but for the run's columns."""
        row, step = found.row, self.steps.derived[found.table.name]
        content = {name: row.get(name) for name in step.declared.columns}
        made = make_id("smp", found.table.name, row["parent_ids"], content)
        ids = verdict("id_recomputes", made == row["sample_id"], f"its columns give the sample_id {made}")
        computed = self._computed(found)
        if isinstance(computed, str):
            return [ids, failed(NAME, computed)]
        try:
            rows = pl.concat(list(step.rows(self._scan(found), computed)))
        except (PersonaAssetsError, pl.exceptions.PolarsError, ValueError) as error:
            return [ids, failed(NAME, str(error).splitlines()[0])]
        same = rows.filter(pl.col("sample_id") == row["sample_id"]).to_dicts()
        if not same:
            return [ids, failed(NAME, f"the function gives {rows.height} rows, none of them this one")]
        different = differences(row, same[0], found.table)
        return [ids, verdict(NAME, not different, different)]

    def reject(self, found: Found) -> list[Verification]:
        """`row_computes_again` of a rejected row: the function sets it aside, for the same reason."""
        computed = self._computed(found)
        if isinstance(computed, str):
            return [failed(NAME, computed)]
        aside = computed.filter(pl.col("reason") == found.row["reason"])["parent_ids"].explode()
        return [verdict(NAME, found.row["row_id"] in set(aside), f"it is not set aside as {found.row['reason']} now")]

    def _scan(self, found: Found) -> Scan:
        table = self.steps.derived[found.asset].table
        record = self.lake.record(table, found.partition)
        return partition_as_it_is(self.lake, table, found.partition, record.made_from if record else ())

    def _computed(self, found: Found) -> pl.DataFrame | str:
        """What the function gives for the partition of a row, or why it gives nothing; with the settings of then."""
        key = (found.asset, found.partition)
        if key not in self._known:
            step = self.steps.derived[found.asset]
            record = self.lake.record(step.table, found.partition)
            settings = {**step.settings_of(self.settings), **(record.recipe.get("settings", {}) if record else {})}
            try:
                self._known[key] = step.compute(found.partition, self._scan(found), settings, self.lake)
            except PersonaAssetsError as error:
                self._known[key] = str(error)
        return self._known[key]
