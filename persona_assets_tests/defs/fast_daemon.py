"""dagster-daemon with short pauses: the same code, which looks at sensors, backfills and its queue each second."""

from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._daemon import controller, sensor
from dagster._daemon.cli import main

INTERVAL_S = 1

controller.DEFAULT_DAEMON_INTERVAL_SECONDS = INTERVAL_S
sensor.MIN_INTERVAL_LOOP_TIME = INTERVAL_S
QueuedRunCoordinator.dequeue_interval_seconds = INTERVAL_S  # type: ignore[assignment]
RemoteSensor.min_interval_seconds = INTERVAL_S  # type: ignore[assignment]

if __name__ == "__main__":
    main()
