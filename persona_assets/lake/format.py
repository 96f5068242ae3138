"""Which format a lake is of, asked once when it is opened.

| format | what shows it |
| --- | --- |
| 1, of version 0.1 | `_commits/`, which a migration removes last |
| 2 | `format.json`, written with the first record |
"""

from pathlib import Path

import orjson

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.durable import read
from persona_assets.lake.records import FOLDER, FORMAT, FORMAT_FILE
from persona_assets.lake.store import Lake

OLD_FOLDER = "_commits"
MIGRATE = "persona-assets migrate"


class OtherFormat(PersonaAssetsError):
    """The lake is of a format that this version does not work with."""


def open_lake(url: str | Path) -> Lake:
    """The lake at `url`, which may be empty.

    Raises:
        UsageError: no such kind of store.
        OtherFormat: another version made it, or its migration has not ended.
    """
    lake = Lake(url)
    check_not_newer(lake)
    if lake.fs.exists(f"{lake.root}/{OLD_FOLDER}"):
        if lake.fs.exists(f"{lake.root}/{FOLDER}"):
            raise OtherFormat(f"{lake.root}: its migration has not ended; `{MIGRATE}` goes on with it")
        raise OtherFormat(
            f"{lake.root} was made by version 0.1; `{MIGRATE}` brings it up to date, without a model call"
        )
    return lake


def check_not_newer(lake: Lake) -> None:
    """Raise OtherFormat where a newer version made the lake.

    Raises:
        PersonaAssetsError: what says so is damaged.
    """
    path = f"{lake.root}/{FORMAT_FILE}"
    data = read(lake, path)
    if data is None:
        return
    try:
        number = int(orjson.loads(data)["format"])
    except (ValueError, TypeError, KeyError) as error:
        raise PersonaAssetsError(
            f"{path} is damaged ({str(error) or type(error).__name__}): delete it if no newer version of "
            "persona-assets has used this lake"
        ) from error
    if number > FORMAT:
        raise OtherFormat(
            f"{lake.root} is of format {number}, and this version of persona-assets knows format {FORMAT} at most: "
            "install a newer one"
        )
