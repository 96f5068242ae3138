"""How every partition stands: done, missing, stale and why. `run`, `plan`, `status`, UI and automation all ask here.

A partition is done when its record's files are there, its gates passed, and what it was made from and what shaped it
are as they would be now. Records hold digests of content; no clock is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

from persona_assets.checks.gates import Around, gates_of
from persona_assets.crawl.shards import chained, index_of
from persona_assets.dedup.seals import Seal, made_from, seals
from persona_assets.engines.base import PASSING_REJECTS
from persona_assets.errors import PersonaAssetsError, UsageError, did_you_mean
from persona_assets.graph import Asset, assets, chosen, recipe_keys
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.records import AS_MADE_BY, DamagedRecord, Record, same_recipe
from persona_assets.lake.schemas import PERSONA_SURVIVORS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.skipped import Skipped, skipped_shards
from persona_assets.lake.store import Making, Turn, dump_of
from persona_assets.ledger.asked_again import FOLDER as ASKED_AGAIN
from persona_assets.ledger.asked_again import AskedAgain, made_with
from persona_assets.recipes import Recipe, changes
from persona_assets.settings import Settings
from persona_assets.tasks.data_files import GONE, Looked
from persona_assets.tasks.target import REACHED, place_of, target_of
from persona_assets.training.recipe import RECIPES

_SEEN = ("shards", "skipped", "seals", "dumps", "sets", "_set_keys", "_manifests", "_by_dump")  # what `refresh` forgets
_TARGET = "its task's target"
NOT_CHOSEN = "not among PERSONA_DATASETS, or not by a recipe of PERSONA_RECIPES"
WHY_MOST = 3  # changes named of a stale partition


class State(StrEnum):
    """How a partition stands."""

    DONE = "done"
    MISSING = "missing"
    DAMAGED = "damaged"  # its record or a file is not what was written
    FAILED = "failed"  # it did not pass its gates
    STALE = "stale"  # made from something else, or otherwise, than it would be now
    UNANSWERED = "unanswered"  # a passing fault of the model left questions open, or some are to be asked again
    SHORT = "short"  # its task's target has room again
    WAITING = "waiting"  # for something upstream
    LEFT_OUT = "left out"


TO_DO = frozenset({State.MISSING, State.DAMAGED, State.FAILED, State.STALE, State.UNANSWERED, State.SHORT})


@dataclass(frozen=True, slots=True)
class Standing:
    """How one partition stands, and why."""

    asset: str
    key: str
    state: State
    why: str = ""
    record: Record | None = None
    behind: tuple[tuple[str, str], ...] = ()  # what it waits for, as (asset, key)

    @property
    def to_do(self) -> bool:
        """Whether it could be made now, and should."""
        return self.state in TO_DO

    @property
    def readable(self) -> bool:
        """Whether what is downstream may read it: whole, and its gates passed."""
        return self.record is not None and not self.record.failed and self.state is not State.LEFT_OUT


class LakeState:
    """The partitions of a lake under some settings, as they were when each asset was first looked at.

    Records are listed once per asset; `refresh` forgets what was seen.
    """

    def __init__(self, lake: Lake, settings: Settings, also: Sequence[str] = ()) -> None:
        """Nothing is read yet. Assets of `also` are wanted beside those of the settings.

        Raises:
            UsageError: a task file, or the file of models, is wrong.
        """
        self.lake, self.settings = lake, settings
        self.assets: Mapping[str, Asset] = assets(settings)
        self.recipe_keys = frozenset(recipe_keys(self.assets, settings.recipes))
        self.chosen = chosen(self.assets, [*settings.datasets, *also], self.recipe_keys)
        self._recipes: dict[str, Recipe] = {}
        self._judged_by: dict[str, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Forget what was seen of the lake."""
        self._records: dict[str, dict[str, Record | DamagedRecord]] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._one_by_one = False
        self._before: dict[str, str] = {}
        self._again: dict[str, dict[str, int]] = {}  # by asset, how often partitions were asked again
        self._sums: dict[str, dict[str, int]] = {}  # by task with a target and partition, the rows before it
        for name in _SEEN:
            self.__dict__.pop(name, None)

    def now(self) -> "LakeState":
        """The same for a few partitions as they are at this moment: records are looked up one by one, not listed."""
        fresh = copy(self)
        fresh._records, fresh._standings, fresh._sums, fresh._one_by_one = {}, {}, {}, True
        fresh._again = {}
        for name in ("seals", "dumps"):
            fresh.__dict__.pop(name, None)
        return fresh

    # What there is

    @cached_property
    def _manifests(self) -> dict[str, Record]:
        return self.lake.sound(SHARD_FILES)

    @cached_property
    def shards(self) -> list[str]:
        """All registered shards, by dump and index."""
        return sorted(self._manifests, key=lambda shard: (dump_of(shard), index_of(shard)))

    @cached_property
    def skipped(self) -> dict[str, Skipped]:
        """The shards that are left out."""
        return skipped_shards(self.lake)

    @cached_property
    def seals(self) -> list[Seal]:
        """The seals, in sequence."""
        return seals(self.lake)

    @cached_property
    def dumps(self) -> list[str]:
        """Dumps in the order in which they are decided: sealed ones in sequence, then the others by key."""
        sealed = [seal.dump for seal in self.seals]
        return sealed + sorted({dump_of(shard) for shard in self.shards}.difference(sealed))

    @cached_property
    def _by_dump(self) -> dict[str, list[str]]:
        """The registered shards that are not left out, by dump."""
        found: dict[str, list[str]] = {}
        for shard in self.shards:
            if shard not in self.skipped:
                found.setdefault(dump_of(shard), []).append(shard)
        return found

    def shards_of(self, dump: str) -> list[str]:
        """The shards that a dump consists of: as it was sealed, else those that are registered and not left out."""
        seal = next((seal for seal in self.seals if seal.dump == dump), None)
        return list(seal.shards) if seal else self._by_dump.get(dump, [])

    @cached_property
    def sets(self) -> dict[str, Looked]:
        """The named sets, by name: what their data files give now."""
        return {asset.name: asset.data.look() for asset in self.assets.values() if asset.data}

    @property
    def own_sets(self) -> dict[str, Looked]:
        """Those of a user's own data files: of an own task, or in place of bundled ones that are made."""
        return {name: looked for name, looked in self.sets.items() if self._is_own(self.assets[name])}

    def _is_own(self, asset: Asset) -> bool:
        in_place = asset.data is not None and asset.data.stands_in
        return not asset.is_bundled or (in_place and asset.name in self.chosen)

    def keys(self, asset: str) -> list[str]:
        """The partitions that an asset has or should have, in the order in which they are made.

        Of a named set also those whose data file is gone.
        """
        kind = self.assets[asset].table.partition
        if kind == "shard":
            return self.shards
        if kind == "dump":
            return self.dumps
        return self._set_keys[kind]

    @cached_property
    def _set_keys(self) -> dict[str, list[str]]:
        """By named set the keys that its files give, then those whose file is gone."""
        found = {name: list(looked.sources) for name, looked in self.sets.items()}
        return {
            name: [*keys, *sorted(set(self.lake.records.all(name)).difference(keys))] for name, keys in found.items()
        }

    def batch_of(self, asset: str, key: str) -> str:
        """The dump that a partition belongs to, or the named set."""
        kind = self.assets[asset].table.partition
        return kind if kind in self.sets else dump_of(key)

    def recipe(self, asset: str) -> Recipe:
        """What would shape an asset's rows now."""
        if asset not in self._recipes:
            declared = self.assets[asset]
            self._recipes[asset] = declared.recipe(self.settings, declared.identity(self.settings))
        return self._recipes[asset]

    def judged_by(self, asset: str) -> str:
        """Digest of what an asset's gates hold a partition to now."""
        if asset not in self._judged_by:
            self._judged_by[asset] = digest(canonical_json(self.assets[asset].gates_recipe(self.settings)))
        return self._judged_by[asset]

    def is_of_no_dump(self, asset: str, key: str = "") -> bool:
        """Whether a partition hangs on data files alone, and on no crawl; without a key: whether all of an asset do."""
        declared = self.assets[asset]
        kind = declared.table.partition
        if kind not in self.sets:
            return False
        reads = declared.reads_of(key) if key else declared.reads
        return all(self.is_of_no_dump(read, key if self.assets[read].table.partition == kind else "") for read in reads)

    @property
    def needs_no_crawl(self) -> bool:
        """Whether a dataset was asked for by its name that hangs on data files alone."""
        return any(
            self.is_of_no_dump(name, key)
            for name in self.settings.datasets
            if name in self.assets
            for key in self.keys(name)
            if self.is_chosen(name, key)
        )

    # How it stands

    def all(self) -> Iterator[Standing]:
        """Every partition of every asset, assets in the order of the graph."""
        for asset in self.assets:
            for key in self.keys(asset):
                yield self.of(asset, key)

    def of(self, asset: str, key: str) -> Standing:
        """How one partition stands."""
        if (asset, key) not in self._standings:
            self._standings[asset, key] = self._judge(self.assets[asset], key)
        return self._standings[asset, key]

    def _judge(self, asset: Asset, key: str) -> Standing:
        name = asset.name
        if asset.table.partition == "shard" and key in self.skipped:
            return Standing(name, key, State.LEFT_OUT, self.skipped[key].reason)
        if asset.table.partition in self.sets and key not in self.sets[asset.table.partition].sources:
            return Standing(name, key, State.LEFT_OUT, GONE)
        found = self._find(name, key)
        fault = str(found) if isinstance(found, DamagedRecord) else ""
        record = found if isinstance(found, Record) else None
        if record and (fault := self.lake.fault(asset.table, record)):
            record = None
        if record is None and not fault and not self.is_chosen(name, key):
            return Standing(name, key, State.LEFT_OUT, NOT_CHOSEN)
        behind = self._behind(asset, key)
        if record and AS_MADE_BY in record.recipe:  # a migrated one waits for nothing that it was not made from
            behind = tuple((above, at) for above, at in behind if f"{above}/{at}" in record.made_from)
        if behind:
            return Standing(name, key, State.WAITING, self._in_words(behind), record, behind)
        if fault:
            return Standing(name, key, State.DAMAGED, fault)
        if record is None:
            return Standing(name, key, State.MISSING)
        state, why = self._compare(asset, key, record)
        return Standing(name, key, state, why, record)

    def is_chosen(self, asset: str, key: str) -> bool:
        """Whether `run` and automation make a partition of themselves."""
        by_recipe = self.assets[asset].table.partition == RECIPES
        return asset in self.chosen and (key in self.recipe_keys or not by_recipe)

    def _compare(self, asset: Asset, key: str, record: Record) -> tuple[State, str]:
        """A sound record whose inputs are there, against what would be made now."""
        if different := self._inputs_differ(record, self.inputs_of(record)):
            return State.STALE, different
        if not same_recipe(record, self.recipe(asset.name)):
            found = changes(record.recipe, self.recipe(asset.name))
            more = f"; {len(found) - WHY_MOST} more" if len(found) > WHY_MOST else ""
            return State.STALE, "; ".join(found[:WHY_MOST]) + more
        if AS_MADE_BY not in record.recipe and record.judged_by != self.judged_by(asset.name):
            return State.STALE, "its gates, or their thresholds, have changed"
        if record.failed:
            return State.FAILED, "gates not passed: " + ", ".join(record.failed)
        if open_questions := sum(count for reason, count in record.reasons.items() if reason in PASSING_REJECTS):
            return State.UNANSWERED, f"{open_questions:,} questions without an answer"
        if made_with(record.made_from) != self._asked_again(asset, key):
            return State.UNANSWERED, "questions are to be asked again"
        return self._to_target(asset, key, record)

    def inputs_of(self, record: Record) -> dict[str, str]:
        """What a partition would be made from now; of a migrated one without named sets that there were not then."""
        inputs, asset = self.inputs(record.asset, record.partition), self.assets[record.asset]
        if AS_MADE_BY not in record.recipe:
            return inputs
        sets = {name for name in asset.reads if self.assets[name].table.partition in self.sets}
        return {
            name: content
            for name, content in inputs.items()
            if name in record.made_from or name.partition("/")[0] not in sets
        }

    def _asked_again(self, asset: Asset, key: str) -> int:
        """How often questions of a partition were asked again."""
        if asset.step is None:
            return 0
        if asset.name not in self._again:
            self._again[asset.name] = AskedAgain(self.lake).times(asset.name)
        return self._again[asset.name].get(key, 0)

    @staticmethod
    def _inputs_differ(record: Record, now: Mapping[str, str]) -> str:
        then = {name: content for name, content in record.made_from.items() if name != ASKED_AGAIN}
        different = [name for name in now if then.get(name) != now[name]] + [name for name in then if name not in now]
        if not different:
            return ""
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        return f"made from another {different[0]}{more}"

    def _to_target(self, asset: Asset, key: str, record: Record) -> tuple[State, str]:
        """Whether a partition has as many rows as its task's target leaves it; done where there is no target."""
        target = self._target(asset)
        if target is None:
            return State.DONE, ""
        rows, room = record.rows.rows, max(0, target - self._rows_before(asset.name, key))
        if rows > room:
            return State.STALE, f"{_TARGET} leaves it {room:,} rows, and it has {rows:,}"
        if rows < room and record.reasons.get(REACHED):
            return State.SHORT, f"{_TARGET} has room for more rows"
        return State.DONE, ""

    def _target(self, asset: Asset) -> int | None:
        return target_of(self.settings, asset.step.template) if asset.is_task and asset.step else None

    def has_target(self, asset: str) -> bool:
        """Whether a task is to have so many rows, over all partitions."""
        return self._target(self.assets[asset]) is not None

    def is_off_target(self, asset: str, key: str) -> bool:
        """Whether a partition has more or fewer rows than its task's target leaves it."""
        return self.of(asset, key).why.startswith(_TARGET)

    def _rows_before(self, asset: str, key: str) -> int:
        """The rows of the partitions before one; those of shards that are left out do not count."""
        if asset not in self._sums:
            keys = sorted(set(self.keys(asset)).difference(self.skipped), key=place_of)
            found = {one: self._find(asset, one) for one in keys}
            rows = [record.rows.rows if isinstance(record, Record) else 0 for record in found.values()]
            self._sums[asset] = dict(zip(found, accumulate(rows, initial=0), strict=False))
        return self._sums[asset].get(key, 0)

    def _behind(self, asset: Asset, key: str) -> tuple[tuple[str, str], ...]:
        """What upstream is not there to be read; a dump without any shard waits for itself."""
        if not asset.reads:
            return ()
        parents = list(self._parents(asset, key))
        if not parents:
            return ((SHARD_FILES.name, key),)
        if nothing := set(asset.reads_of(key)).difference(name for name, _ in parents):
            return ((min(nothing), ""),)
        return tuple((name, one) for name, one in parents if not self.of(name, one).readable)

    def _in_words(self, behind: Sequence[tuple[str, str]]) -> str:
        name, key = behind[0]
        if name == SHARD_FILES.name:
            return "no shard that is not left out"
        if not key:
            return f"{name} has no partition yet"
        more = f" and {len(behind) - 1} more" if len(behind) > 1 else ""
        return f"{name} {key} is {self.of(name, key).state}{more}"

    def wish(self, asset: str, key: str) -> str:
        """A digest of all that a partition would be made from and shaped by: it differs where another try could too."""
        again = self._asked_again(self.assets[asset], key)
        wanted = [self.inputs(asset, key), self.recipe(asset), self.judged_by(asset), *([again] if again else [])]
        return digest(canonical_json(wanted))

    def _parents(self, asset: Asset, key: str) -> Iterator[tuple[str, str]]:
        """The partitions that a partition is made from, by asset and key; of a dump its shards and the dumps before.

        Where one of the two is of a named set that the other is not of, all partitions of the asset above, or the one
        that is looked into.
        """
        for name in asset.reads_of(key):
            kinds = (asset.table.partition, self.assets[name].table.partition)
            if kinds[0] == kinds[1]:
                yield name, key
            elif name in asset.looks_into:
                yield name, asset.looks_into[name]
            elif kinds == ("shard", "dump"):
                yield name, dump_of(key)
            elif kinds == ("dump", "shard"):
                yield from ((name, shard) for shard in self.shards_of(key))
            else:
                yield from ((name, one) for one in self.keys(name) if not self._is_left_out(kinds[1], one))
        if asset.table is PERSONA_SURVIVORS:
            for seal in self.seals:
                if seal.dump == key:
                    break
                yield asset.name, seal.dump

    def _is_left_out(self, kind: str, key: str) -> bool:
        return key in self.skipped if kind == "shard" else kind in self.sets and key not in self.sets[kind].sources

    # What it is made from

    def parents(self, asset: str, key: str) -> list[tuple[str, str]]:
        """The partitions that a partition is made from, as (asset, key)."""
        return list(self._parents(self.assets[asset], key))

    def inputs(self, asset: str, key: str) -> dict[str, str]:
        """What a partition would be made from now: content digests by `<asset>/<key>`, "" where one is missing."""
        declared = self.assets[asset]
        if declared.table is RAW_DOCUMENTS:
            return self._files(key)
        if declared.data:
            return declared.data.inputs(self.sets[asset].sources.get(key))
        pairs = self._parents(declared, key)
        return {f"{name}/{one}": self._content(name, one) for name, one in pairs}

    def _content(self, asset: str, key: str) -> str:
        found = self._find(asset, key)
        return found.rows.content if isinstance(found, Record) else ""

    def _files(self, shard: str) -> dict[str, str]:
        """The manifest of a shard, and those of the shards before it, whose texts it does not repeat."""
        if shard not in self._before:
            so_far: dict[str, str] = {}
            for one in self.shards:
                dump = dump_of(one)
                self._before[one] = so_far.get(dump, "")
                if one not in self.skipped:
                    so_far[dump] = chained(so_far.get(dump, ""), self._manifests[one].rows.content)
        manifest = self._manifests.get(shard)
        return {
            f"{SHARD_FILES.name}/{shard}": manifest.rows.content if manifest else "",
            f"{SHARD_FILES.name}/before {shard}": self._before.get(shard, ""),
        }

    def _find(self, asset: str, key: str) -> Record | DamagedRecord | None:
        """What counts of a partition."""
        if self._one_by_one:
            try:
                return self.lake.records.latest(asset, key)
            except DamagedRecord as error:
                return error
        if asset not in self._records:
            self._records[asset] = self.lake.records.all(asset)
        return self._records[asset].get(key)

    # Making one

    def is_done(self, table: Table, key: str) -> bool:
        """Whether a partition is done; looks anew."""
        return self.now().of(table.name, key).state is State.DONE

    def making(self, table: Table, key: str, turn: Turn | None = None) -> Making:
        """What goes into a partition's record that is begun now; what it reads is looked up anew.

        Raises:
            PersonaAssetsError: something that it reads did not pass its gates.
        """
        asset = self.assets[table.name]
        again = AskedAgain(self.lake).times(asset.name).get(key, 0) if asset.step else 0
        return Making(
            made_from=self._inputs_now(asset, key) | ({ASKED_AGAIN: str(again)} if again else {}),
            recipe=self.recipe(asset.name),
            judged_by=self.judged_by(asset.name),
            judge=gates_of(self.lake, self.settings, self.around(asset.name)),
            turn=turn,
        )

    @property
    def tables(self) -> dict[str, Table]:
        """The tables of the assets."""
        return {name: declared.table for name, declared in self.assets.items()}

    def around(self, asset: str) -> Around:
        """What an asset's gates look at beside its own partition."""
        return Around(self.tables, self.assets[asset].questions)

    def _inputs_now(self, asset: Asset, key: str) -> dict[str, str]:
        if not asset.reads:
            return self.inputs(asset.name, key)
        if asset.table is PERSONA_SURVIVORS:
            sequence = seals(self.lake)
            places = [place for place, seal in enumerate(sequence) if seal.dump == key]
            return made_from(self.lake, sequence[: places[0] + 1]) if places else {}
        found = {}
        for name, one in self._parents(asset, key):
            record = self.lake.record(self.assets[name].table, one)
            if record and record.failed:
                raise PersonaAssetsError(
                    f"{asset.name} {key}: {name} {one} did not pass its gates ({', '.join(record.failed)}), and is not "
                    f"read: mend the cause and materialise it again, or leave it out with `persona-assets skip`"
                )
            if record is None and name in asset.looks_into:
                raise PersonaAssetsError(f"{asset.name} {key}: {name} {one}, which it looks into, is not made yet")
            found[f"{name}/{one}"] = record.rows.content if record else ""
        return found

    def check_asset(self, name: str) -> None:
        """Raise UsageError where there is no such asset."""
        if name not in self.assets:
            raise UsageError(f"asset {name} is unknown; {did_you_mean(name, self.assets)}")
