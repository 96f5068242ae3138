"""The funnel so far as ratios: what becomes of documents and personas on their way, over all partitions of a lake."""

from collections import Counter
from functools import cached_property

import polars as pl

from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    RAW_DOCUMENTS,
)
from persona_assets.ledger.ledger import Ledger
from persona_assets.plan.figures import Amount, Basis
from persona_assets.settings import Settings
from persona_assets.tasks.step import NOT_SELECTED
from persona_assets.tasks.target import REACHED
from persona_assets.text.sentences import BYTES_PER_TOKEN

REFUSED_PARENT = "parent_not_eligible"
_FILL = pl.Struct({"relations": pl.List(pl.String()), "personas_per_relation": pl.Int64()})


_BYTES = {"zh": 3.0, "ru": 1.8}  # of a character, about


class Funnel:
    """Ratios over everything that stands in a lake, so each partition weighs as much as it has rows.

    Where there is none to go by, nothing is taken to be set aside.
    """

    def __init__(self, lake: Lake, settings: Settings, ledger: Ledger) -> None:
        """Bind to a lake; each ratio is looked up when it is first needed."""
        self.lake, self.settings, self.ledger = lake, settings, ledger
        self._shares: dict[str, Amount] = {}

    @property
    def asked_per_document(self) -> int:
        """Personas that one question about a document asks for."""
        return len(self.settings.relations) * self.settings.personas_per_relation

    @cached_property
    def questions_per_document(self) -> Amount:
        """Parts of a page that are asked about, by the lengths of the pages so far."""
        most, tokens = self.settings.windows, self.settings.document_tokens
        if most == 1:
            return Amount(1)
        width = pl.col("language").replace_strict(_BYTES, default=1.0, return_dtype=pl.Float64)
        parts = (pl.col("characters") * width / (tokens * BYTES_PER_TOKEN)).ceil().clip(1, most)
        pages = self.lake.scan(RAW_DOCUMENTS).filter(pl.col("kind") == "page")
        mean = pages.select(parts.mean()).collect(engine="streaming").item()
        return Amount(1, Basis.ASSUMED) if mean is None else Amount(float(mean), Basis.FUNNEL)

    @cached_property
    def personas_per_document(self) -> Amount:
        """Extracted personas per page: of those asked for as many as so far."""
        answered = self.lake.rejects(EXTRACTED_PERSONAS).filter(~pl.col("reason").str.starts_with("engine_"))
        ids = [
            self._asked_for.select("document_id"),
            answered.select(document_id=pl.coalesce("parent_id", "row_id")),
        ]
        documents = pl.concat(ids).select(pl.col("document_id").n_unique()).collect(engine="streaming").item()
        asked = self._asked_so_far()
        if not documents or not asked:
            return Amount(self.asked_per_document, Basis.ASSUMED)
        so_far = self._asked_for.select(pl.len()).collect(engine="streaming").item() / documents
        return Amount(so_far * self.asked_per_document / asked, Basis.FUNNEL)

    @cached_property
    def eligible(self) -> Amount:
        """Share of the personas looked at as parents that were asked about."""
        refused = self.rejects(EXPANDED_PERSONAS)[REFUSED_PARENT]
        expanded = self.lake.scan(EXPANDED_PERSONAS)
        # Of the last hop nobody is asked about; which one that is differs by partition.
        parents = expanded.filter(pl.col("hop") < pl.col("hop").max().over("shard")).select(pl.len()).collect().item()
        parents += sum(
            rows for shard, rows in self.rows(EXTRACTED_PERSONAS).items() if shard in self.rows(EXPANDED_PERSONAS)
        )
        return Amount(1 - refused / parents, Basis.FUNNEL) if parents else Amount(1.0, Basis.ASSUMED)

    @property
    def filtered(self) -> Amount:
        """Share of the personas that the filter keeps."""
        return self.kept_share(FILTERED_PERSONAS)

    @property
    def survivors(self) -> Amount:
        """Share of the filtered personas that are published."""
        return self.kept_share(DEDUPED_PERSONAS)

    def kept_share(self, table: Table) -> Amount:
        """Accepted rows of those that a table's step judged: not asked and engine faults do not count."""
        if table.name not in self._shares:
            kept, rejects = sum(self.rows(table).values()), self.rejects(table)
            judged = kept + sum(
                count
                for reason, count in rejects.items()
                if reason not in (REACHED, NOT_SELECTED, REFUSED_PARENT) and not reason.startswith("engine_")
            )
            self._shares[table.name] = Amount(kept / judged, Basis.FUNNEL) if judged else Amount(1.0, Basis.ASSUMED)
        return self._shares[table.name]

    def per_answer(self, table: Table, items: int) -> Amount:
        """Rows of an answer that is a list: as so far, about, of answers that gave any, else the `items` expected."""
        kept = sum(self.rows(table).values())
        if not kept:
            return Amount(float(items), Basis.ASSUMED)
        answers = self.lake.scan(table).select(pl.col("call_id").approx_n_unique()).collect(engine="streaming").item()
        return Amount(kept / answers, Basis.FUNNEL)

    def per_row(self, table: Table, read: Table) -> Amount:
        """Rows of a table for each row of the one that it reads, where both stand."""
        there = self.rows(table)
        given = sum(count for key, count in self.rows(read).items() if key in there)
        return Amount(sum(there.values()) / given, Basis.FUNNEL) if given else Amount(1.0, Basis.ASSUMED)

    def rows(self, table: Table) -> dict[str, int]:
        """Rows by materialised partition, from the footers."""
        if table.name not in self._rows:
            self._rows[table.name] = {key: self.lake.row_count(table, key) for key in self.lake.keys(table)}
        return self._rows[table.name]

    def rejects(self, table: Table) -> Counter[str]:
        """What was set aside, by reason."""
        counts = self.lake.rejects(table).group_by("reason").len().collect(engine="streaming")
        return Counter(dict(counts.iter_rows()))

    @cached_property
    def _rows(self) -> dict[str, dict[str, int]]:
        return {}

    @property
    def _asked_for(self) -> pl.LazyFrame:
        """The extracted personas that a model gave."""
        return self.lake.scan(EXTRACTED_PERSONAS).filter(pl.col("call_id").is_not_null())

    def _asked_so_far(self) -> float | None:
        """Personas asked for per document by the calls that the extracted personas came from."""
        cited = self._asked_for.select("call_id").unique()
        found = self.ledger.query(
            lambda calls: (
                calls.filter(pl.col("asset") == EXTRACTED_PERSONAS.name)
                .select("call_id", fill=pl.col("fill").str.json_decode(_FILL))
                .join(cited, on="call_id", how="semi")
                .unnest("fill")
                .select((pl.col("relations").list.len() * pl.col("personas_per_relation")).mean())
            )
        ).item()
        return None if found is None else float(found)
