"""The code location: everything that stands in `persona_assets/defs`."""

import dagster as dg

from persona_assets import defs as _defs
from persona_assets.defs.pipeline import Pipeline

defs = dg.load_definitions_from_package_module(
    _defs,
    resources={"pipeline": Pipeline()},
    executor=dg.in_process_executor,  # a spawned step costs seconds, an in-process one a tenth of one
)
