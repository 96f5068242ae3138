"""How long it takes to say that a lake of many finished shards is done. python -m benchmarks.records [SHARDS]

Replaces its own section of RESULTS.md.
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.finished_lake import build
from benchmarks.measure import Usage, clean_environment, measured
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.state import LakeState

SHARDS = 5_000
ASKED = (10, 20, 40)  # shards, for the count of records read
RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "## A lake of finished shards\n"
TEMPLATE = """{head}
Written by `python -m benchmarks.records`: {shards:,} registered, finished shards in 11 dumps, {assets} assets,
{records:,} records. Each command in a process of its own, its start included; seconds of CPU beside those of the wall,
as shared machines are slow. The first `run` also registers the shards with Dagster.

| what | wall s | CPU s | peak MB |
| --- | ---: | ---: | ---: |
{rows}

Commit records read to judge {asked} shards: {read}, each once. Before: {before} (`run` of {asked} shards).
"""


def settings_of(folder: Path) -> Settings:
    return Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps"), tasks=None, models=None)


def records_read(shards: int) -> int:
    with TemporaryDirectory() as folder:
        settings = settings_of(Path(folder))
        build(settings, {"d": shards})
        state = LakeState(Lake(settings.lake), settings)
        for _ in state.all():
            pass
        return state.lake.records.read


def commands(folder: Path) -> dict[str, Usage]:
    environment = clean_environment() | {
        "PERSONA_LAKE": str(folder / "lake"),
        "PERSONA_DUMPS": str(folder / "dumps"),
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    (folder / "dagster").mkdir()
    program = [sys.executable, "-m", "persona_assets"]
    runs = {"`status`": ["status"], "`run`, the first": ["run"], "`run`": ["run"]}
    return {name: measured([*program, *arguments], environment) for name, arguments in runs.items()}


def main() -> None:
    shards = int(sys.argv[1]) if len(sys.argv) > 1 else SHARDS
    with TemporaryDirectory() as name:
        folder, small = Path(name), shards // 50
        started = time.monotonic()
        build(settings_of(folder), {"big": shards - 10 * small, **{f"small{one}": small for one in range(10)}})
        print(f"built in {time.monotonic() - started:.0f} s", file=sys.stderr)
        state = LakeState(Lake(folder / "lake"), settings_of(folder))
        assets, records = len(state.assets), sum(1 for _ in state.all()) + len(state.shards)
        usage = commands(folder)
    rows = "\n".join(
        f"| {what} | {one.wall_s:.1f} | {one.cpu_s:.1f} | {one.peak_mb:.0f} |" for what, one in usage.items()
    )
    text = TEMPLATE.format(
        head=HEAD,
        shards=shards,
        assets=assets,
        records=records,
        rows=rows,
        asked=", ".join(map(str, ASKED)),
        read=", ".join(f"{records_read(count):,}" for count in ASKED),
        before="460, 1,120, 3,040",
    )
    _replace(text)
    print(json.dumps({what: vars(one) | {"output": ""} for what, one in usage.items()}))


def _replace(text: str) -> None:
    stored = RESULTS.read_text(encoding="utf-8")
    before, _, rest = stored.partition(HEAD)
    _, mark, after = rest.partition("\n## ")
    RESULTS.write_text(before.rstrip("\n") + "\n\n" + text + (mark + after if after else ""), encoding="utf-8")


if __name__ == "__main__":
    main()
