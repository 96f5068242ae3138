"""Pushes an exported folder to a hub, as a dataset repository: in one commit what the hub lacks, and nothing else.

Files go by Git LFS, which every hub has, and not by a storage of one hub's own: what is pushed is then known by the
digests that the folder's own metadata have, and a push that was cut off sends no file again that has arrived.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

from persona_assets import __version__
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.export.croissant import FILE as CROISSANT
from persona_assets.export.croissant import sha256_of
from persona_assets.view.safe import one_line

if TYPE_CHECKING:
    from huggingface_hub import RepoFile

TOKEN, ENDPOINT = "HF_TOKEN", "HF_ENDPOINT"  # as every tool of hubs names them
DEFAULT_ENDPOINT = "https://huggingface.co"
_NAME = re.compile(r"\w([\w.-]{0,94}\w)?/\w([\w.-]{0,94}\w)?", re.ASCII)
_NOT_IN_NAMES = re.compile(r"--|\.\.|\.git$")
_NAMED = "give OWNER/NAME, each of letters and digits, with '.', '-' or '_' between them"
_OURS = re.compile(r"data/[a-z0-9_]+-[0-9]{5,}\.parquet")  # what an earlier push may have left
_KIND = "dataset"
_SAID = 200  # characters of a hub's answer that are shown
_GONE, _CHANGED = (404,), (409, 412)


class HubError(PersonaAssetsError):
    """A hub, or the way to it, failed; pushing again goes on from there."""


@dataclass(frozen=True)
class Pushed:
    """Where the dataset is, and how many files were sent, were there already, and were deleted."""

    url: str
    sent: int
    there: int
    deleted: int


@dataclass(frozen=True)
class Hub:
    """A hub's address, and the token that it knows one by."""

    endpoint: str
    token: str = field(repr=False)

    @classmethod
    def of_environment(cls, name: str) -> "Hub":
        """The hub of `HF_ENDPOINT`, with the token of `HF_TOKEN`; `name` is looked at before anything is done.

        Raises:
            UsageError: the token is not set, or the name is not `OWNER/NAME`.
        """
        if not _NAME.fullmatch(name) or _NOT_IN_NAMES.search(name):
            raise UsageError(f"--push {one_line(name, _SAID)}: {_NAMED}")
        if not (token := os.environ.get(TOKEN, "").strip()):
            raise UsageError(f"--push needs a token: make one with write access at the hub, and set {TOKEN}")
        return cls(os.environ.get(ENDPOINT, "").strip().rstrip("/") or DEFAULT_ENDPOINT, token)

    def push(self, folder: Path, name: str) -> Pushed:
        """Make the repository `name`, private, if it is not there, and have in it what `folder` has.

        Shards of an earlier push that the folder lacks are deleted; other files of the repository stay.

        Raises:
            UsageError: the hub refuses token, name or owner, or a file is not as it was written.
            HubError: it cannot be reached, or failed half-way: push again.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile

        digests = _digests(folder)
        with self._told(name), _quiet():
            api = HfApi(self.endpoint, self.token, library_name="persona-assets", library_version=__version__)
            url = api.create_repo(name, repo_type=_KIND, private=True, exist_ok=True)
            head = api.dataset_info(name).sha
            tree = api.list_repo_tree(name, repo_type=_KIND, recursive=True, revision=head)
            there = {one.path: one for one in tree if isinstance(one, RepoFile)}
            lacking = [path for path in digests if not _same(there.get(path), folder / path, digests[path])]
            left = [path for path in there if _OURS.fullmatch(path) and path not in digests]
            additions = [CommitOperationAdd(path, str(folder / path)) for path in lacking]
            for one in additions:
                one.upload_info.sha256 = bytes.fromhex(digests[one.path_in_repo])
            if additions or left:
                api.create_commit(
                    name,
                    [*additions, *(CommitOperationDelete(path) for path in left)],
                    commit_message=f"Dataset {folder.name}",
                    repo_type=_KIND,
                    parent_commit=head,
                )
        return Pushed(str(url), len(lacking), len(digests) - len(lacking), len(left))

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What a hub answers, or does not, as an error with a remedy."""
        from httpx2 import HTTPError
        from huggingface_hub.errors import HfHubHTTPError

        try:
            yield
        except (HTTPError, ConnectionError, RuntimeError, ValueError, KeyError) as error:
            cause = next((one for one in _causes(error) if isinstance(one, HTTPError)), error)
            status, said = 0, str(cause) or type(cause).__name__
            if isinstance(cause, HfHubHTTPError):  # its text has the address, which may be one that opens a store
                said = f"status {cause.response.status_code}, {cause.server_message or 'no reason given'}"
                if str(cause.response.url).startswith(f"{self.endpoint}/"):  # not of a store, whose leave has run out
                    status = cause.response.status_code
            raise self._fault(name, status, one_line(said, _SAID)) from error

    def _fault(self, name: str, status: int, said: str) -> PersonaAssetsError:
        if status == 401:
            remedy = "make one with write access there"
            return UsageError(f"{self.endpoint} refuses the token of {TOKEN}: {remedy} ({said})")
        if status == 403:
            remedy = "give it write access, or name an owner that it belongs to"
            return UsageError(f"the token of {TOKEN} may not write to {name} at {self.endpoint}: {remedy} ({said})")
        if status in _GONE:
            owner = name.split("/")[0]
            return UsageError(f"{self.endpoint} knows no owner {owner}, or has no {name} that is yours ({said})")
        if status in _CHANGED:
            return HubError(f"{name} was changed by another while it was pushed: run the command again ({said})")
        remedy = "run the command again; what has arrived is not sent again"
        return HubError(f"pushing to {name} at {self.endpoint} was cut off: {remedy} ({said})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__


@contextmanager
def _quiet() -> Iterator[None]:
    """Have the library send files by LFS, tell the hub nothing beside them, and draw bars on terminals alone.

    Its warnings name addresses that open a store: they are not shown.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    names = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY")
    before, bars = {name: getattr(constants, name) for name in names}, not are_progress_bars_disabled()
    verbosity = logging.get_verbosity()
    if not sys.stderr.isatty():
        disable_progress_bars()
    logging.set_verbosity(ERROR)
    try:
        for name in names:
            setattr(constants, name, True)
        yield
    finally:
        for name, value in before.items():
            setattr(constants, name, value)
        logging.set_verbosity(verbosity)
        if bars:
            enable_progress_bars()


def _digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file of an exported folder, by its path in it.

    Raises:
        UsageError: a file of data is missing, is not as it was written, or is one more.
    """
    about = json.loads((folder / CROISSANT).read_text(encoding="utf-8"))
    written = {one["contentUrl"]: one["sha256"] for one in about["distribution"]}
    found = {path: sha256_of(folder / path) for path in ("README.md", CROISSANT)}
    files = sorted(file for file in (folder / "data").rglob("*") if file.is_file())
    data = {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}
    if wrong := sorted(path for path in written.keys() | data.keys() if written.get(path) != data.get(path)):
        raise UsageError(f"{folder / wrong[0]} is not as it was written: export into another folder")
    return found | data


def _same(there: "RepoFile | None", file: Path, sha256: str) -> bool:
    """Whether the hub has this file: a large one by its digest, a small one by that of Git."""
    if there is None or there.size != file.stat().st_size:
        return False
    if there.lfs:
        return bool(there.lfs.sha256 == sha256)
    data = file.read_bytes()
    return bool(there.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())
