"""Rules of answers to questionnaires, and of scores."""

from collections.abc import Mapping, Sequence

from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample


@rule(repairs=True)
def within_scale(sample: Sample, field: str, items: str, least: str = "least", most: str = "most") -> str | None:
    """Each answer in the list is null or a number of the scale of the rows that were asked about."""
    rows, given = sample.about.get("rows"), sample.content.get(items)
    if not (isinstance(rows, list) and rows and isinstance(given, list)):
        return None
    low, high = rows[0].get(least), rows[0].get(most)
    for one in given:
        value = one.get(field)
        if value is not None and not low <= value <= high:
            return f"{field} {value} of number {one.get('number')}: the scale goes from {low} to {high}"
    return None


@rule(repairs=True)
def on_scale(sample: Sample, field: str, of: str, scales: Mapping[str, Sequence[int]]) -> str | None:
    """The number is null or on the scale that goes with the column `of` of the row that is asked about."""
    value, scale = sample.content.get(field), scales.get(str(sample.about.get(of)))
    if not (scale and isinstance(value, int)) or scale[0] <= value <= scale[1]:
        return None
    return f"{field} {value}: the scale goes from {scale[0]} to {scale[1]}"
