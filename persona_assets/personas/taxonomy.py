"""The written-out relations between personas, and which of them a persona is asked for (Persona Hub, section 2.2)."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json, digest

TAXONOMY = Path(__file__).with_name("taxonomy.yaml")
LOW_VISIBILITY_SHARE = 0.5  # of single choices: without it two hops with fan-out 1 would seldom leave the visible web
_TAKEN = -np.inf  # below every rank


class Relation(BaseModel):
    """A relation: "the new person is <description> to the persona"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    slug: str = Field(pattern=r"^[a-z][a-z_]{2,40}$")
    description: str = Field(min_length=10)
    visibility: Literal["low", "ordinary"]
    weight: float = Field(1.0, gt=0, le=10)


@cache
def taxonomy() -> tuple[Relation, ...]:
    """All relations, in the order of the file."""
    return load_taxonomy(TAXONOMY)


def taxonomy_digest() -> str:
    """Digest of all that choosing relations and asking for them depends on; comments of the file are not part of it."""
    return digest(canonical_json([relation.model_dump() for relation in taxonomy()]))


def load_taxonomy(path: Path) -> tuple[Relation, ...]:
    """Read a taxonomy file.

    Raises:
        UsageError: a key is missing, unknown or ill typed, a slug stands twice, or one visibility is missing.
    """
    families: dict[str, list[dict[str, object]]] = yaml.safe_load(path.read_text(encoding="utf-8"))["families"]
    try:
        relations = tuple(
            Relation.model_validate({"family": family, **entry})
            for family, entries in families.items()
            for entry in entries
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    slugs = [relation.slug for relation in relations]
    if repeated := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise UsageError(f"{path.name}: relations stand twice: {', '.join(repeated)}")
    if {relation.visibility for relation in relations} != {"low", "ordinary"}:
        raise UsageError(f"{path.name}: needs relations of low and of ordinary visibility")
    return relations


class Relations:
    """Relations to draw from. What a persona draws hangs on the slugs and weights, not on the order of the file.

    Each relation has a uniform number of its own, from the persona's id, the hop and its slug; so a relation that is
    added or taken away changes only the draws in which it comes up, about 1 in as many as there are relations.
    """

    def __init__(self, relations: Sequence[Relation]) -> None:
        """Prepare the draws; there must be relations of low and of ordinary visibility."""
        self._relations = tuple(relations)
        slugs = b"".join(hashlib.blake2b(relation.slug.encode(), digest_size=8).digest() for relation in relations)
        self._slugs = np.frombuffer(slugs, dtype="<u8").astype(np.uint64)
        self._weights = np.array([relation.weight for relation in relations])
        families = {family: code for code, family in enumerate(dict.fromkeys(one.family for one in relations))}
        self._families = np.array([families[relation.family] for relation in relations])
        low = np.array([relation.visibility == "low" for relation in relations])
        self._low = low.tolist()
        self._visible = {"low": np.flatnonzero(low), "ordinary": np.flatnonzero(~low)}

    def choose(self, persona_id: str, hop: int, fanout: int) -> list[Relation]:
        """As the function of that name."""
        return [relation for relation, *_ in self.offer(persona_id, hop, fanout, 1)]

    def _chosen(self, ranks: NDArray[np.float64], coin: float, fanout: int) -> list[int]:
        group = self._visible["low" if fanout > 1 or coin < LOW_VISIBILITY_SHARE else "ordinary"]
        chosen = [int(group[ranks[group].argmax()])]
        fresh = ranks.copy()  # without those of a family that came up; _TAKEN, too, is what was chosen
        while len(chosen) < min(fanout, len(self._relations)):
            ranks[chosen[-1]] = _TAKEN
            fresh[self._families == self._families[chosen[-1]]] = _TAKEN
            best = int(fresh.argmax())
            if fresh[best] == _TAKEN:  # every family has come up: they may come up once more
                fresh = ranks.copy()
                best = int(fresh.argmax())
            chosen.append(best)
        return chosen

    def offer(self, persona_id: str, hop: int, fanout: int, candidates: int) -> list[list[Relation]]:
        """As the function of that name."""
        if fanout <= 0:
            return []
        ranks, coin = self._ranks(persona_id, hop)
        chosen = self._chosen(ranks.copy(), coin, fanout)
        offers = [[index] for index in chosen]
        if candidates > 1:
            ranks[chosen] = _TAKEN
            for like in (False, True):
                alike = [offer for offer in offers if self._low[offer[0]] == like]
                group = self._visible["low" if like else "ordinary"]
                best = group[np.argsort(-ranks[group])[: len(alike) * (candidates - 1)]].tolist()
                for place, index in enumerate(index for index in best if ranks[index] > _TAKEN):
                    alike[place % len(alike)].append(index)
        return [[self._relations[index] for index in offer] for offer in offers]

    def _ranks(self, persona_id: str, hop: int) -> tuple[NDArray[np.float64], float]:
        """A number per relation, greatest first a draw by weight without replacement, and one uniform number.

        Efraimidis and Spirakis (2006): sorting by log(u) / weight, u uniform, is such a draw.
        """
        seed = hashlib.blake2b(canonical_json([persona_id, hop]), digest_size=16).digest()
        mixed = _mixed(self._slugs + np.uint64(int.from_bytes(seed[:8], "little")))
        uniform = ((mixed >> np.uint64(11)) + 0.5) / 2.0**53
        return np.log(uniform) / self._weights, int.from_bytes(seed[8:], "little") / 2.0**64


def choose(persona_id: str, hop: int, fanout: int) -> list[Relation]:
    """`fanout` different relations for a persona at a hop: the same on any machine, in the order of their rank.

    Families are spread: none comes twice while another has relations left. Low-visibility people are always reached
    where there are two or more relations (the first one is of that kind, so a cap keeps it), and with probability
    `LOW_VISIBILITY_SHARE` where there is one.
    """
    return _relations().choose(persona_id, hop, fanout)


def offer(persona_id: str, hop: int, fanout: int, candidates: int) -> list[list[Relation]]:
    """For each relation that `choose` gives, that one and others to take where it does not fit, in their order.

    They are of the same visibility, `candidates` together at most, and none is offered twice.
    """
    return _relations().offer(persona_id, hop, fanout, candidates)


@cache
def _relations() -> Relations:
    return Relations(taxonomy())


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The mixer of SplitMix64 (Steele, Lea and Flood, 2014), in place."""
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
