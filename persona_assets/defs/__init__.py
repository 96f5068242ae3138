"""Thin Dagster: assets, checks, sensors, schedules, jobs and their wiring. The logic is in the domain packages."""

import gc
import warnings

import dagster as dg

# Dagster is pinned exactly, so what its notes of preview and beta parts warn of cannot happen unseen.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

# A graph is some hundred thousand objects that stay to the end. To look through them for garbage each time that a few
# hundred more are made, as Python does, is a sixth of the time that loading takes.
gc.set_threshold(50_000, 20, 50)
