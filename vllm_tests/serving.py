"""vLLM's own OpenAI-compatible server, on the loopback address."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from persona_assets.engines.vllm.process import DEFAULTS, PRIVATE

START_S = 400.0
STRUCTURED = {"backend": "guidance", "disable_any_whitespace": True}  # as the engine vllm sets it


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(model: Path, slots: int, log: Path) -> Iterator[str]:
    """A running server; yields its base URL. It knows the model by its folder."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--max-num-seqs", str(slots), "--enforce-eager"]
    command += ["--gpu-memory-utilization", "0.2", "--structured-outputs-config", orjson.dumps(STRUCTURED).decode()]
    command += ["--no-enable-chunked-prefill", "--disable-uvicorn-access-log"]  # see `vllm_worker.start`
    with log.open("wb") as file:
        environment = DEFAULTS | {"VLLM_CPU_KVCACHE_SPACE": "1"} | os.environ | PRIVATE
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        _wait(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
