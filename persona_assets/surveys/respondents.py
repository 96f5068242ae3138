"""Who is asked: a sample of the personas whose attributes are known, which stays the same as long as they do."""

from collections.abc import Sequence

import polars as pl

from persona_assets.draws import lots
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.surveys.survey import ALL, Survey

OPTION = pl.Struct({"id": pl.String(), "text": pl.String()})


def drawn(survey: Survey, file: str, attributes: pl.LazyFrame) -> pl.DataFrame:
    """The rows of attributes of those who are asked, with their `stratum`; the lowest digests of seed and persona.

    `attributes` has `sample_id`, `persona_ids`, `language` and a column for each attribute. The same people are drawn
    again, and another person changes few draws. Of each stratum there are as many as are wanted; without strata fewer
    where there are no more.

    Raises:
        UsageError: there is no such attribute, nobody fits, or a stratum has too few people; the message names file and
            remedy.
    """
    known = attributes.collect_schema().names()
    for name in survey.attributes:
        if name not in known:
            raise UsageError(f"{file}: there is no attribute {name}; {did_you_mean(name, known)}")
    stratum = pl.col(survey.strata.by).cast(pl.String) if survey.strata else pl.lit(ALL)
    people = attributes.filter(pl.col("language").is_in([*survey.question]))
    for name, values in survey.where.items():
        people = people.filter(pl.col(name).cast(pl.String).is_in([*values]))
    found = people.select(
        "sample_id", "language", persona_id=pl.col("persona_ids").list.first(), stratum=stratum
    ).collect(engine="streaming")
    wanted = survey.strata.wanted(survey.size) if survey.strata else {ALL: survey.size}
    ranked = found.with_columns(_order=lots(found["persona_id"], survey.seed)).sort("_order")
    counts = dict(ranked.group_by("stratum").len().iter_rows())
    parts = []
    for value, count in wanted.items():
        there = counts.get(value, 0)
        if there < (count if survey.strata else 1):
            of = f"{survey.strata.by} {value}: " if survey.strata else ""
            said = f"{of}{count:,} respondents are wanted, and {there:,} personas with attributes fit"
            raise UsageError(f"{file}: {said}. Ask fewer, or describe more personas")
        parts.append(ranked.filter(pl.col("stratum") == value).head(count))
    return pl.concat(parts).drop("_order")


def options_for(survey: Survey, persona_ids: Sequence[str], languages: Sequence[str]) -> pl.Series:
    """For each respondent the options with their texts, in an order that is drawn by the persona's id."""
    found = []
    for persona, language in zip(persona_ids, languages, strict=True):
        ordered = sorted(survey.options, key=lambda one: digest(canonical_json([survey.seed, persona, one.id])))
        found.append([{"id": one.id, "text": one.text[language]} for one in ordered])
    return pl.Series("options", found, dtype=pl.List(OPTION))
