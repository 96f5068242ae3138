from pathlib import Path

import pytest

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.format import OtherFormat, open_lake
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets_tests.rows import document, put


def test_an_empty_lake_is_opened_and_its_first_record_says_its_format(lake: Lake) -> None:
    assert open_lake(lake.root).root == lake.root
    put(lake, RAW_DOCUMENTS, document("a"))
    assert Path(lake.root, "format.json").read_bytes() == b'{"format":2}'
    open_lake(lake.root)


def test_a_lake_of_version_0_1_is_refused_with_the_command_that_brings_it_up(lake: Lake) -> None:
    Path(lake.root, "_commits").mkdir(parents=True)
    with pytest.raises(OtherFormat, match=r"version 0\.1; `persona-assets migrate`"):
        open_lake(lake.root)


def test_a_migration_that_has_not_ended_is_noticed(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    Path(lake.root, "_commits").mkdir()
    with pytest.raises(OtherFormat, match="has not ended; `persona-assets migrate` goes on"):
        open_lake(lake.root)


def test_a_lake_of_a_newer_version_is_refused(lake: Lake) -> None:
    lake.write_bytes(f"{lake.root}/format.json", b'{"format": 3, "more": 1}')
    with pytest.raises(OtherFormat, match="format 3, and this version of persona-assets knows format 2"):
        open_lake(lake.root)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": null}', b"{}"])
def test_a_damaged_note_of_the_format_is_named(lake: Lake, data: bytes) -> None:
    lake.write_bytes(f"{lake.root}/format.json", data)
    with pytest.raises(PersonaAssetsError, match=r"format\.json is damaged .*: delete it"):
        open_lake(lake.root)
