"""Rules of answers to questionnaires."""

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
