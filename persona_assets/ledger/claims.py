"""Claims: a prompt that two runs need at the same moment is asked by one of them, and the other waits for its answer.

`<lake>/_claims/<number>.claim` is a log. A claim lists the calls that a run is about to make; it is created once, under
the number after the last one that its run has read. So whoever makes claim k has read all claims before it, and of two
runs that want one call the second always knows of the first: a total order, without a lock. The log is one for all
templates, as a day's cap on calls is (`budget`).

- A claim ends when its calls have landed, answered or failed: the file is made empty. Answers are in the ledger before
  that. So a run looks the calls that it has claimed up once more where claims of others came or went since it last did.
- A run is known by `_claims/members/<token>.json`, in which it raises a counter. One that does not beat any more is
  dead (`lake.heartbeat`), and so are its claims: whoever notices ends them.
- A run that was stopped for so long that others may take it for dead makes no further call under its old claims; it
  joins again and claims anew what it has not asked.
- Numbers are never used twice: the last claims stay as empty files, `KEPT` of them. A run that slept between reading
  and claiming, while the number that it meant to use came and went, finds far higher ones and takes its claim back.

No two runs wait for each other. What others have claimed is left for later, and a run waits for it only when all its
own claims have ended (`turns`). So a run that is waited for waits for nobody itself: it is answered, fails, or dies.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.durable import clear, create_once, create_own, names, read, remove, sizes, write_durably
from persona_assets.lake.heartbeat import HEART, Holder, Timing, Watch, has_ended, holder_of, this_process
from persona_assets.lake.leftovers import KEPT_S, unchanged_s

FOLDER = "_claims"
KEPT = 32  # claims that have ended are removed when so many follow
TRUSTED = 0.75  # share of `stale_s` without a beat after which a run takes itself for dead
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps
# How many more calls there may be, given those on their way and whether other runs did anything; None: any number.
Room = Callable[[int, bool], int | None]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a wish to make calls."""

    number: int  # of the claim; 0 where nothing was claimed
    mine: NDArray[np.bool_]  # which calls were claimed; the others are being made by another run, or there is no room
    changed: bool  # whether claims of other runs came or went since the last time, or this is the first
    is_short: bool  # whether there was no room for all
    on_their_way: int  # calls, of all runs, that had been claimed before


@dataclass(frozen=True, slots=True)
class _Claim:
    member: str
    template: str
    calls: int
    keys: NDArray[np.bytes_]


class Claims:
    """The claims of one run, and what it knows of those of others. Safe to use from the threads of an engine."""

    def __init__(self, lake: Lake, run_id: str, timing: Timing | None = None) -> None:
        """Nothing is read or written before the first claim."""
        self._lake, self._run_id = lake, run_id
        self._timing = timing or heartbeat.TIMING
        self._folder = f"{lake.root}/{FOLDER}"
        self._lock = threading.RLock()
        self._beating = threading.Lock()  # apart, so that a slow look does not delay a beat
        self._member: Holder | None = None
        self._beats = 0
        self._beaten_at = 0.0
        self._handle = 0
        self._lost = self._closed = False
        self._own: dict[int, int] = {}  # number of an open claim: its calls that have not landed
        self._live: dict[int, _Claim] = {}  # open claims of others
        self._last = -1  # the highest number that was read
        self._claimed: dict[str, NDArray[np.bytes_]] = {}  # by template: all calls in `_live`, sorted
        self._watches: dict[str, Watch] = {}
        self._watched_at = float("-inf")

    # Claiming

    def take(self, template: str, call_ids: Sequence[str], room: Room) -> Taken:
        """Claim those of some calls that nobody else has claimed, as far as there is room; each id stands once."""
        keys = _keys(call_ids)
        with self._lock:
            if self._closed:
                return Taken(0, np.zeros(len(keys), np.bool_), False, False, 0)
            self._join()
            changed = False
            while True:
                changed |= self._look()
                mine = ~_among(keys, self._claimed_of(template))
                wanted = np.flatnonzero(mine)
                on_their_way = self._on_their_way()
                allowed = room(on_their_way, changed)
                is_short = allowed is not None and len(wanted) > allowed
                if is_short:
                    mine[wanted[allowed:]] = False
                number = self._create(template, keys[mine]) if mine.any() else 0
                if number or not mine.any():
                    return Taken(number, mine, changed, is_short, on_their_way)

    def landed(self, calls: Mapping[int, int]) -> None:
        """So many calls of these claims have ended, and what was answered is in the ledger."""
        with self._lock:
            for number, count in calls.items():
                left = self._own.get(number, 0) - count
                if left > 0:
                    self._own[number] = left
                elif self._own.pop(number, 0):
                    clear(self._lake, self._path(number))

    def release(self) -> None:
        """End all claims: nothing of them is on its way, and what was not asked never will be under them."""
        with self._lock:
            for number in list(self._own):
                clear(self._lake, self._path(number))
                del self._own[number]

    def close(self) -> None:
        """End all claims and leave."""
        with self._lock:
            self._closed = True
            self._leave()

    def intact(self) -> bool:
        """Whether the claims still hold back others. Where this process was stopped for long, they may not."""
        return not self._lost and time.clock_gettime(_CLOCK) - self._beaten_at < TRUSTED * self._timing.stale_s

    def wait(self) -> None:
        """Let some time pass before the next look at others."""
        time.sleep(self._timing.poll_s)

    # Being there

    def _member_path(self, token: str) -> str:
        return f"{self._folder}/members/{token}.json"

    def _join(self) -> None:
        """Be known to others, under a new token where the last one cannot be trusted any more."""
        if self._member and self.intact():
            return
        self._leave()
        if self._last < 0:
            forget_the_dead(self._lake)
        member = this_process(self._run_id)
        self._beaten_at = time.clock_gettime(_CLOCK)
        create_once(self._lake, self._member_path(member.token), member.content(0), sync=False)
        with self._beating:
            self._member, self._beats, self._lost = member, 0, False
        self._handle = HEART.add(self._beat, self._timing.beat_s)

    def _leave(self) -> None:
        member = self._member
        if member:
            HEART.remove(self._handle)
            with self._beating:  # one may be under way
                self._member = None
            self.release()
            remove(self._lake, self._member_path(member.token))

    def _beat(self) -> None:
        with self._beating:
            if not self._member or self._lost:
                return
            path = self._member_path(self._member.token)
            if not self.intact() or read(self._lake, path) is None:
                self._lost = True
                logger.warning("others may have taken this run for dead; it claims anew what it has not asked")
                return
            now = time.clock_gettime(_CLOCK)
            self._beats += 1
            write_durably(self._lake, path, self._member.content(self._beats), sync=False)
            self._beaten_at = now

    # The log

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:012d}.claim"

    def _listed(self) -> dict[int, int]:
        """The claims that are there, with their bytes."""
        found = sizes(self._lake, self._folder)
        return {int(name[:-6]): size for name, size in found.items() if name.endswith(".claim") and name[:-6].isdigit()}

    def _look(self) -> bool:
        """Learn what others did; returns whether they did anything."""
        listed = self._listed()
        last = max(listed, default=0)
        changed = last > self._last
        if changed:
            # What came before the last one may have come while the folder was listed, and then be missing in the list.
            listed = self._listed()
            self._last = last
        for number in [number for number in self._live if not listed.get(number)]:
            del self._live[number]
            changed = True
        for number, size in listed.items():
            if size and number <= last and number not in self._live and number not in self._own:
                claim = self._read(number)
                changed = True
                if claim:
                    self._live[number] = claim
        changed |= self._end_claims_of_the_dead()
        if changed:
            self._claimed.clear()
        return changed

    def _read(self, number: int) -> _Claim | None:
        """A claim of another run; None where it has ended, or is damaged, as after a power cut."""
        head, _, keys = (read(self._lake, self._path(number)) or b"").partition(b"\n")
        try:
            values = orjson.loads(head)
            claim = _Claim(str(values["member"]), str(values["template"]), int(values["calls"]), _split(keys))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return None
        return claim if len(claim.keys) == claim.calls else None

    def _create(self, template: str, keys: NDArray[np.bytes_]) -> int:
        """Make the next claim; 0 where another run has used its number."""
        assert self._member
        head = orjson.dumps({"member": self._member.token, "template": template, "calls": len(keys)})
        number = self._last + 1
        if not create_own(self._lake, self._path(number), head + b"\n" + keys.tobytes(), sync=False):
            return 0
        listed = self._listed()
        if max(listed, default=number) - number >= KEPT:
            clear(self._lake, self._path(number))
            return 0
        self._last = number
        self._own[number] = len(keys)
        for ended in [other for other, size in listed.items() if not size and other <= number - KEPT]:
            remove(self._lake, self._path(ended))
        return number

    # Others

    def _on_their_way(self) -> int:
        """Calls that are claimed and have not landed, as far as that is known."""
        return sum(self._own.values()) + sum(claim.calls for claim in self._live.values())

    def _claimed_of(self, template: str) -> NDArray[np.bytes_]:
        if template not in self._claimed:
            found = [claim.keys for claim in self._live.values() if claim.template == template]
            self._claimed[template] = np.sort(np.concatenate([_split(b""), *found]))
        return self._claimed[template]

    def _end_claims_of_the_dead(self) -> bool:
        members = {claim.member for claim in self._live.values()}
        self._watches = {member: watch for member, watch in self._watches.items() if member in members}
        if not members or time.monotonic() - self._watched_at < self._timing.poll_s / 2:
            return False
        self._watched_at = time.monotonic()
        dead = [member for member in members if self._is_dead(member)]
        for member in dead:
            self._end_claims_of(member)
        return bool(dead)

    def _is_dead(self, member: str) -> bool:
        content = read(self._lake, self._member_path(member))
        if content is None:  # it has left, or others took it for dead
            return True
        dead = self._watches.setdefault(member, Watch(self._timing)).is_dead(content)
        if dead:
            logger.warning("%s is dead; what it was asking is asked by others", holder_of(content))
        return dead

    def _end_claims_of(self, member: str) -> None:
        for number in [number for number, claim in self._live.items() if claim.member == member]:
            clear(self._lake, self._path(number))
            del self._live[number]
        remove(self._lake, self._member_path(member))


def forget_the_dead(lake: Lake) -> None:
    """Remove the files of runs that were killed; whoever meets their claims then ends these.

    Of this machine at once; of others, and where a file does not say, when it has had no beat for `leftovers.KEPT_S`.
    """
    folder = f"{lake.root}/{FOLDER}/members"
    for name in names(lake, folder):
        path = f"{folder}/{name}"
        content = read(lake, path)
        if content is not None and (has_ended(holder_of(content)) or unchanged_s(lake, path) > KEPT_S):
            remove(lake, path)


def _keys(call_ids: Sequence[str]) -> NDArray[np.bytes_]:
    """The digests that ids of calls spell out."""
    return _split(bytes.fromhex("".join([call_id[5:] for call_id in call_ids])))


def _split(keys: bytes) -> NDArray[np.bytes_]:
    return np.frombuffer(keys, "S16")


def _among(keys: NDArray[np.bytes_], claimed: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which keys are among others, which are sorted."""
    if not len(claimed):
        return np.zeros(len(keys), np.bool_)
    at = np.searchsorted(claimed, keys)
    return np.asarray(claimed[np.minimum(at, len(claimed) - 1)] == keys)
