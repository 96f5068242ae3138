"""Wall time of the demo in an empty folder, and of the same command again. python -m benchmarks.demo"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory


def run_demo(folder: Path) -> dict[str, float]:
    """Seconds of one `persona-assets demo`, interpreter start included, and the calls it made and reused."""
    started = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PERSONA_", "DAGSTER_"))}
    command = [sys.executable, "-m", "persona_assets", "demo"]
    output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
    made, reused = re.search(r"([\d,]+) calls made, ([\d,]+) answered", output).groups()  # type: ignore[union-attr]
    number = [int(text.replace(",", "")) for text in (made, reused)]
    return {"seconds": round(time.monotonic() - started, 1), "calls_made": number[0], "calls_reused": number[1]}


def main() -> None:
    with TemporaryDirectory() as folder:
        print(json.dumps({"first": run_demo(Path(folder)), "second": run_demo(Path(folder))}))


if __name__ == "__main__":
    main()
