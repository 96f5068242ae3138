"""A hub on the loopback address: what of its API a push needs, with repositories that are kept in memory."""

import asyncio
import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml
from aiohttp import web

TOKEN = "hf_of_the_test"
OWNER, OTHERS = "us", "them"  # who the token belongs to, and somebody else
PAGE = 3  # files of a tree that are listed at once
DROP, LOSE = 0, -1  # in place of a status: the connection is closed before a request is handled, or after it


@dataclass
class Repository:
    """Files by path in the last commit: `(kind, content or digest)`; commits from the first one on, by their ids."""

    visibility: str
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, tuple[str, bytes]]) -> str:
        self.files = files
        self.commits.append(hashlib.sha1(repr((self.commits, sorted(files.items()))).encode()).hexdigest())
        return self.commits[-1]


@dataclass
class HubServer:
    """What it holds and what it saw. `faults`: for a kind of request, which times it fails, counted from 1, and how."""

    url: str = ""
    store: str = ""  # where files are sent to; empty: here
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)  # what was sent by LFS, by digest
    sent: Counter[str] = field(default_factory=Counter)  # digests, each time that all of it arrived
    seen: Counter[str] = field(default_factory=Counter)  # requests by kind
    faults: dict[str, dict[int, int]] = field(default_factory=dict)
    meanwhile: dict[str, Callable[[], Any]] = field(default_factory=dict)  # what else happens, by kind of request
    told: set[str] = field(default_factory=set)  # user agents

    def routes(self) -> list[web.RouteDef]:
        name = "{owner}/{name}"
        return [
            web.post("/api/repos/create", self._kind("create", self.create)),
            web.get(f"/api/datasets/{name}", self._kind("info", self.info)),
            web.get(f"/api/datasets/{name}/tree/{{revision}}", self._kind("tree", self.tree)),
            web.post("/api/validate-yaml", self._kind("yaml", self.validate)),
            web.post(f"/api/datasets/{name}/preupload/main", self._kind("preupload", self.preupload)),
            web.post(f"/datasets/{name}.git/info/lfs/objects/batch", self._kind("batch", self.batch)),
            web.put("/lfs/{digest}", self._kind("put", self.put, signed=False)),
            web.post("/lfs/verify", self._kind("verify", self.verify)),
            web.post(f"/api/datasets/{name}/commit/main", self._kind("commit", self.commit)),
        ]

    def _kind(self, kind: str, handle: Any, *, signed: bool = True) -> Any:
        async def run(request: web.Request) -> web.StreamResponse:
            self.seen[kind] += 1
            fault = self.faults.get(kind, {}).get(self.seen[kind])
            if kind in self.meanwhile:
                self.meanwhile[kind]()
            if fault in (DROP, LOSE):
                if fault == LOSE:
                    await handle(request, await request.read())
                assert request.transport
                request.transport.close()
                return web.Response()
            if fault:
                return error(fault, "<b>\x1b[31mthe hub fell over</b>")
            if signed and request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return error(401, "Invalid credentials in Authorization header")
            self.told.add(request.headers.get("User-Agent", ""))
            body = await request.read()
            return await handle(request, body)

        return run

    async def create(self, request: web.Request, body: bytes) -> web.Response:
        told = json.loads(body)
        assert told["type"] == "dataset"
        owner, name = told["organization"], told["name"]
        if owner != OWNER:
            return error(403 if owner == OTHERS else 404, f"You don't have the rights to write under {owner}")
        key = f"{owner}/{name}"
        there = key in self.repositories
        if not there:
            made = self.repositories[key] = Repository(told.get("visibility", "public"))
            made.commit({".gitattributes": ("regular", b"*.parquet filter=lfs\n")})
        return web.json_response({"url": f"{self.url}/datasets/{key}"}, status=409 if there else 200)

    def _of(self, request: web.Request) -> Repository:
        return self.repositories[f"{request.match_info['owner']}/{request.match_info['name']}"]

    async def info(self, request: web.Request, body: bytes) -> web.Response:
        one = self._of(request)
        return web.json_response({"id": "x", "sha": one.commits[-1], "private": one.visibility == "private"})

    async def tree(self, request: web.Request, body: bytes) -> web.Response:
        one = self._of(request)
        assert request.match_info["revision"] == one.commits[-1]
        listed = [{"type": "directory", "path": "data", "oid": "0" * 40, "size": 0}] if len(one.files) > 1 else []
        listed += [self._listed(path, *stored) for path, stored in sorted(one.files.items())]
        start = int(request.query.get("cursor", 0))
        more = {"Link": f'<{self.url}{request.path}?recursive=true&cursor={start + PAGE}>; rel="next"'}
        return web.json_response(listed[start : start + PAGE], headers=more if start + PAGE < len(listed) else {})

    def _listed(self, path: str, kind: str, content: bytes) -> dict[str, Any]:
        if kind == "regular":
            return {"type": "file", "path": path, "size": len(content), "oid": blob(content)}
        size = len(self.large[content.decode()])
        large = {"oid": content.decode(), "size": size, "pointerSize": 130}
        return {"type": "file", "path": path, "size": size, "oid": blob(content), "lfs": large}

    async def validate(self, request: web.Request, body: bytes) -> web.Response:
        told = json.loads(body)
        head = yaml.safe_load(told["content"].split("---\n")[1])
        assert told["repoType"] == "dataset"
        if "configs" not in head:
            return web.json_response({"errors": [{"message": "no configs"}], "warnings": []}, status=400)
        return web.json_response({"errors": [], "warnings": []})

    async def preupload(self, request: web.Request, body: bytes) -> web.Response:
        paths = [one["path"] for one in json.loads(body)["files"]]
        modes = [(path, "lfs" if path.endswith(".parquet") else "regular") for path in paths]
        return web.json_response({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes]})

    async def batch(self, request: web.Request, body: bytes) -> web.Response:
        told = json.loads(body)
        assert told["operation"] == "upload" and told["hash_algo"] == "sha256"
        objects = [{"oid": one["oid"], "size": one["size"]} for one in told["objects"]]
        for one in objects:
            if one["oid"] not in self.large:
                verify = {"href": f"{self.url}/lfs/verify"}
                one["actions"] = {"upload": {"href": f"{self.store or self.url}/lfs/{one['oid']}"}, "verify": verify}
        return web.json_response({"transfer": "basic", "objects": objects})

    async def put(self, request: web.Request, body: bytes) -> web.Response:
        digest = request.match_info["digest"]
        assert "Authorization" not in request.headers, "the token is for the hub, not for where files are kept"
        if hashlib.sha256(body).hexdigest() != digest:
            return error(400, "the content is not of this digest")
        self.large[digest] = body
        self.sent[digest] += 1
        return web.Response()

    async def verify(self, request: web.Request, body: bytes) -> web.Response:
        told = json.loads(body)
        fits = len(self.large.get(told["oid"], b"")) == told["size"]
        return web.json_response({}) if fits else error(404, "no such object")

    async def commit(self, request: web.Request, body: bytes) -> web.Response:
        one, lines = self._of(request), [json.loads(line) for line in body.splitlines()]
        assert request.content_type == "application/x-ndjson" and lines[0]["key"] == "header"
        if lines[0]["value"]["parentCommit"] != one.commits[-1]:
            return error(412, "A commit has happened since. Please refresh and try again.")
        files = dict(one.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                files[value["path"]] = ("regular", base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    return error(400, "no such object")
                files[value["path"]] = ("lfs", value["oid"].encode())
            else:
                assert line["key"] == "deletedFile"
                del files[value["path"]]
        oid = one.commit(files)
        where = f"{self.url}/datasets/{request.match_info['owner']}/{request.match_info['name']}/commit/{oid}"
        return web.json_response({"success": True, "commitOid": oid, "commitUrl": where})

    def content(self, name: str) -> dict[str, bytes]:
        """The files of a repository as they are now."""
        kept = self.repositories[name].files
        return {path: self.large[data.decode()] if kind == "lfs" else data for path, (kind, data) in kept.items()}


def error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def blob(content: bytes) -> str:
    """The digest that Git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(server: HubServer) -> Iterator[HubServer]:
    """The hub in a thread of its own, at a free port."""
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=1 << 30)
        app.add_routes(server.routes())
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
