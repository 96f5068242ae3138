"""Thin Dagster: assets, checks, sensors, schedules, jobs and their wiring. The logic is in the domain packages."""

import warnings

import dagster as dg

# Dagster is pinned exactly, so what its notes of preview and beta parts warn of cannot happen unseen.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)
