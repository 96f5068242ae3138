"""The items of questionnaires."""

import polars as pl

from persona_assets.questionnaires.items import COLUMNS, NULLABLE, items_of
from persona_assets.questionnaires.questionnaire import TEXTS, questionnaire_of
from persona_assets.tasks.derived import DataRows, data_files, derived

FILES = data_files("questionnaires/*", table="questionnaire_files", texts=TEXTS)


def items_told(rows: DataRows) -> float:
    """How many rows a file has, on average over all files."""
    found = [questionnaire_of(pl.DataFrame([row])) for row in rows(FILES.name)]
    return sum(items_of(one[1]).height for one in found if one) / max(len(found), 1)


@derived(
    reads=FILES,
    columns=COLUMNS,
    description="The items of a questionnaire, one row for each language, with the scale and the pole that agreement "
    "speaks for (Machine Mindset).",
    nullable=NULLABLE,
    modules=("questionnaires.items", "questionnaires.questionnaire", "questionnaires.layout"),
    per_row=items_told,
)
def questionnaire_items(files: pl.LazyFrame) -> pl.DataFrame:
    """One row for each item and language; an item without a dimension is a filler, which is asked and not scored."""
    rows = files.collect()
    found = questionnaire_of(rows)
    if found is None:
        return pl.DataFrame(schema={"parent_ids": pl.List(pl.String), **COLUMNS})
    return items_of(found[1]).with_columns(parent_ids=pl.lit([rows["row_id"][0]]))
