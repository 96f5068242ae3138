"""Open situations, in which a model shows what it would do."""

import polars as pl

from persona_assets.questionnaires.situations import COLUMNS, TEXTS, rows_of, situations_of
from persona_assets.tasks.derived import DataRows, data_files, derived

FILES = data_files("situations/*", table="situation_files", texts=TEXTS)


def situations_told(rows: DataRows) -> float:
    """How many rows a file has, on average over all files."""
    found = [situations_of(pl.DataFrame([row])) for row in rows(FILES.name)]
    return sum(rows_of(one[1]).height for one in found if one) / max(len(found), 1)


@derived(
    reads=FILES,
    columns=COLUMNS,
    description="Open situations, one row for each language, with the manners that answers are placed between "
    "(Machine Mindset).",
    modules=("questionnaires.questionnaire", "questionnaires.situations", "questionnaires.layout"),
    per_row=situations_told,
)
def situations(files: pl.LazyFrame) -> pl.DataFrame:
    """One row for each situation and language."""
    rows = files.collect()
    found = situations_of(rows)
    if found is None:
        return pl.DataFrame(schema={"parent_ids": pl.List(pl.String), **COLUMNS})
    return rows_of(found[1]).with_columns(parent_ids=pl.lit([rows["row_id"][0]]))
