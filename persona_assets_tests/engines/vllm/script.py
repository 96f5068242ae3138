"""A program that speaks the protocol of `vllm_worker` and answers by rules: no vLLM, and no stand-in for it.

The tests of `vllm_process` start it to see what the engine makes of a process that answers, refuses, hangs or dies.
The last word of a request's last message says what to do.
"""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

SLOTS = 4


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(request: dict[str, Any]) -> None:
    number, word = request["number"], request["messages"][-1]["content"].split()[-1]
    if word == "hang":
        time.sleep(1000)
    elif word == "die":
        sys.stderr.write("ValueError: no more memory\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "late":
        time.sleep(0.3)
    if word == "bad":
        send({"number": number, "reason": "bad_request", "detail": "the prompt is too long"})
    else:
        told = {"text": word, "finish_reason": "stop", "tokens_in": 5, "tokens_out": 2}
        if request["scores"]:
            told = {"text": '{"logprob":-1.0,"tokens":2}', "finish_reason": "score", "tokens_in": 7, "tokens_out": 0}
        send({"number": number, **told})


def main() -> None:
    mode = sys.argv[1]
    arguments = json.loads(sys.stdin.readline())
    if mode == "broken":
        raise RuntimeError(f"cannot load {arguments['model']}")
    if mode in ("missing", "arguments"):
        send({"refused": mode, "detail": "unexpected keyword argument 'x'"})
        return
    # vLLM too has processes of its own, which outlive the one that started them.
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    send({"slots": SLOTS})
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if "abort" not in request:
                answer(request)
    finally:  # the other side has ended, whichever pipe shows it first
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
