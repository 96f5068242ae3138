"""vLLM in a process of its own: `python -m persona_assets.engines.vllm.worker`, started by `vllm_process` only.

JSON lines. In, first the engine's arguments, then `{"number", "messages", "schema", "sampling", "scores"}` or
`{"abort"}`. Out, first `{"slots"}` or `{"refused", "detail"}`, then per request `{"number", "text", "finish_reason",
"tokens_in", "tokens_out"}` or `{"number", "reason", "detail"}`. The end of the input is the order to end; what else the
process prints goes to the log.
"""

import asyncio
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import orjson

from persona_assets.engines.base import SCORED, score_text
from persona_assets.engines.scores import chat_tokens, continuation_tokens, score_fault
from persona_assets.prompts import Message as Chat

SHUTDOWN_S = 15.0  # vLLM may take this long to end in order; then all of it is killed
TRIAL = [Chat(role="user", content="?")]
Message = dict[str, Any]
Send = Callable[[Message], None]


class Worker:
    """Answers requests with a running `AsyncLLM`."""

    def __init__(self, engine: Any, send: Send) -> None:  # noqa: ANN401 - the type checker does not have vLLM
        """Bind to the engine.

        Raises:
            ValueError: the model has no chat template.
        """
        self.engine, self.send = engine, send
        self.tokenizer = engine.get_tokenizer()
        self.defaults = engine.model_config.get_diff_sampling_param()  # of the model's own generation config
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._renderer = ThreadPoolExecutor(1, "chat-template")  # two threads must not use one tokenizer
        self.render(TRIAL)

    def take(self, message: Message) -> None:
        """Begin a request, or give one up."""
        if "abort" in message:
            if task := self._tasks.get(message["abort"]):
                task.cancel()
            return
        task = asyncio.create_task(self._answer(**message))
        self._tasks[message["number"]] = task
        task.add_done_callback(partial(self._done, message["number"]))

    def render(self, messages: list[Chat]) -> list[int]:
        """The tokens of the model's chat template, up to where the answer begins."""
        return chat_tokens(self.tokenizer, messages)

    def split(self, messages: list[Chat]) -> tuple[list[int], list[int]]:
        """The tokens before the last message, and its own: `continuation_tokens`."""
        return continuation_tokens(self.tokenizer, messages)

    def _done(self, number: int, task: asyncio.Task[None]) -> None:
        del self._tasks[number]
        if not task.cancelled() and (error := task.exception()):
            give_up(type(error), error)  # vLLM's own process died, or something that no request can be blamed for

    async def _answer(
        self, number: int, messages: list[Chat], schema: Message, sampling: Message, scores: bool
    ) -> None:
        from jinja2 import TemplateError
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineGenerateError

        try:
            loop = asyncio.get_running_loop()
            if scores:
                result = await self._score(number, *await loop.run_in_executor(self._renderer, self.split, messages))
            else:
                tokens = await loop.run_in_executor(self._renderer, self.render, messages)
                result = await self._generate(number, tokens, schema, sampling)
        except (VLLMClientError, TemplateError, ValueError, TypeError) as error:
            result = {"reason": "bad_request", "detail": str(error)}
        except EngineGenerateError as error:
            cause = error.__cause__ or error
            result = {"reason": "bad_request", "detail": f"{type(cause).__name__}: {cause}"}
        self.send({"number": number, **result})

    async def _score(self, number: int, prompt: list[int], continuation: list[int]) -> Message:
        """The log-probability of a continuation. VLLM gives it of prompts only, and adds one token of its own to it."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        tokens = prompt + continuation
        logprobs: list[float] = []
        if continuation:
            sampling = SamplingParams(
                max_tokens=1,
                temperature=0.0,
                prompt_logprobs=0,  # of the prompt's own tokens alone
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            outputs = [output async for output in self.engine.generate(tokens_input(tokens), sampling, str(number))]
            told = outputs[-1].prompt_logprobs if outputs else None
            if told is None:
                return {"reason": "server_error", "detail": "vLLM gave the request up"}
            logprobs = [told[at][token].logprob for at, token in enumerate(continuation, len(prompt))]
        logprob = math.fsum(logprobs)
        if fault := score_fault(logprob):
            return {"reason": fault[0], "detail": fault[1]}
        return {
            "text": score_text(logprob, len(continuation)),
            "finish_reason": SCORED,
            "tokens_in": len(tokens),
            "tokens_out": 0,
        }

    async def _generate(self, number: int, tokens: list[int], schema: Message, sampling: Message) -> Message:
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        values = self.defaults | sampling | {"output_kind": RequestOutputKind.FINAL_ONLY}
        if schema:
            values["structured_outputs"] = StructuredOutputsParams(json=schema)
        stream = self.engine.generate(tokens_input(tokens), SamplingParams(**values), str(number))
        outputs = [output async for output in stream]  # the last one only, as asked for
        answer = outputs[-1].outputs[0] if outputs else None
        if answer is None or answer.finish_reason in (None, "abort", "error"):
            return {"reason": "server_error", "detail": "vLLM gave the request up"}
        return {
            "text": answer.text,
            "finish_reason": answer.finish_reason,
            "tokens_in": len(tokens),
            "tokens_out": len(answer.token_ids),
        }


class _Refused(Exception):
    """Why vLLM cannot be started; the first argument is `missing` or `arguments`."""


def start(arguments: Message) -> Any:  # noqa: ANN401 - the type checker does not have vLLM
    """A running `AsyncLLM`.

    Raises:
        _Refused: vLLM is not installed or does not know an argument.
    """
    try:
        from vllm import AsyncEngineArgs
        from vllm.config import StructuredOutputsConfig
        from vllm.platforms import current_platform
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise
        raise _Refused("missing", str(error)) from error
    if current_platform.is_cpu():
        # There vLLM falls over where a prompt with a seed is read in parts (0.32: "CPU Generator does not use offset").
        arguments.setdefault("enable_chunked_prefill", False)
    try:
        structured = StructuredOutputsConfig(**arguments.pop("structured_outputs_config"))
        values = AsyncEngineArgs(**arguments, structured_outputs_config=structured)
    except TypeError as error:
        raise _Refused("arguments", str(error)) from error
    return AsyncLLM.from_engine_args(values, usage_context=UsageContext.LLM_CLASS)  # batches as in vLLM's offline use


async def serve(arguments: Message, send: Send) -> None:
    """Answer requests until the input ends."""
    inbox: asyncio.Queue[Message | None] = asyncio.Queue()
    threading.Thread(target=listen, args=(asyncio.get_running_loop(), inbox), daemon=True).start()
    try:
        engine = start(arguments)
    except _Refused as refusal:
        send({"refused": refusal.args[0], "detail": refusal.args[1]})
        return
    worker = Worker(engine, send)
    config = engine.vllm_config
    send({"slots": config.scheduler_config.max_num_seqs * config.parallel_config.data_parallel_size})
    while (message := await inbox.get()) is not None:
        worker.take(message)
    engine.shutdown()
    end_all()


def listen(loop: asyncio.AbstractEventLoop, inbox: "asyncio.Queue[Message | None]") -> None:
    """Pass on what is asked. At the end of the input, which comes even where the other side was killed, end."""
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(inbox.put_nowait, orjson.loads(line))
    threading.Timer(SHUTDOWN_S, end_all).start()
    loop.call_soon_threadsafe(inbox.put_nowait, None)


def end_all() -> None:
    """End this process and whatever vLLM started, at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def give_up(kind: type[BaseException], error: BaseException, *_: object) -> None:
    """Leave the reason in the log and end, with what vLLM has running: it would hold this process up or outlive it."""
    traceback.print_exception(kind, error, error.__traceback__)
    sys.stderr.flush()
    end_all()


def main() -> None:
    """Keep the standard output for the protocol: what prints to it from now on prints to the log."""
    sys.excepthook = give_up
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(message: Message) -> None:
        output.write(orjson.dumps(message) + b"\n")
        output.flush()

    asyncio.run(serve(orjson.loads(sys.stdin.buffer.readline()), send))


if __name__ == "__main__":
    main()
