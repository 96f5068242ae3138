"""That whoever runs programs is made anew when anything changes that they run in."""

from pathlib import Path

import persona_assets.contained as package
from persona_assets.contained import MODULES


def test_every_module_that_programs_run_in_shapes_what_they_give() -> None:
    folder = Path(package.__file__).parent
    names = {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    }
    assert set(MODULES) == names - {"contained"}  # which has this list
