"""Bare HTTP clients, for orientation: nothing is stored and no answer is checked while they run.

python clients.py URL PROMPTS.json OUT.json IN_FLIGHT openai|httpx|aiohttp
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Ask = Callable[[list[dict[str, str]]], Awaitable[str]]


async def with_openai(url: str, in_flight: int, work: Callable[[Ask], Awaitable[None]]) -> None:
    import httpx
    from openai import AsyncOpenAI

    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with AsyncOpenAI(base_url=url, api_key="none", http_client=httpx.AsyncClient(limits=limits)) as client:

        async def ask(messages: list[dict[str, str]]) -> str:
            reply = await client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
            return str(reply.choices[0].message.content)

        await work(ask)


async def with_httpx(url: str, in_flight: int, work: Callable[[Ask], Awaitable[None]]) -> None:
    import httpx

    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx.AsyncClient(limits=limits) as client:

        async def ask(messages: list[dict[str, str]]) -> str:
            reply = await client.post(f"{url}/chat/completions", json={"model": "m", "messages": messages})
            return str(reply.json()["choices"][0]["message"]["content"])

        await work(ask)


async def with_aiohttp(url: str, in_flight: int, work: Callable[[Ask], Awaitable[None]]) -> None:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def ask(messages: list[dict[str, str]]) -> str:
            body = {"model": "m", "messages": messages}
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                return str((await reply.json())["choices"][0]["message"]["content"])

        await work(ask)


CLIENTS = {"openai": with_openai, "httpx": with_httpx, "aiohttp": with_aiohttp}


def main(url: str, source: str, out: str, in_flight: str, name: str) -> None:
    rows: list[dict[str, Any]] = json.loads(Path(source).read_text())
    answers: list[tuple[int, str]] = []
    left = iter(rows)

    async def worker(ask: Ask) -> None:
        for row in left:
            messages = [{"role": "system", "content": row["system"]}, {"role": "user", "content": row["user"]}]
            answers.append((row["number"], await ask(messages)))

    async def work(ask: Ask) -> None:
        await asyncio.gather(*(worker(ask) for _ in range(int(in_flight))))

    began = time.monotonic()
    asyncio.run(CLIENTS[name](url, int(in_flight), work))
    Path(out).write_text(json.dumps({"seconds": time.monotonic() - began, "answers": answers}))


if __name__ == "__main__":
    main(*sys.argv[1:])
