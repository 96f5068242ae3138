"""What `persona-assets quality --json` measured of a dataset, for its card."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.quality.report import Quality, Report

_REMEDY = "write it by persona-assets quality --json"


def measured(file: Path, dataset: str) -> Quality:
    """The measures of a dataset in a report's file.

    Raises:
        UsageError: there is no such file, it is no report, or has nothing on the dataset.
    """
    if not file.is_file():
        raise UsageError(f"--quality {file}: there is no such file; {_REMEDY}")
    try:
        report = TypeAdapter(Report).validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"--quality {file}: {place}: {first['msg']}; {_REMEDY}") from error
    found = {one.dataset: one for one in report.datasets}
    if dataset not in found:
        raise UsageError(f"--quality {file}: nothing on {dataset}; {did_you_mean(dataset, found)}")
    return found[dataset]
