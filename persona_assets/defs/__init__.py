"""Thin Dagster: assets, checks, sensors, schedules, jobs and their wiring. The logic is in the domain packages."""
