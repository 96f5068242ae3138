"""The written-out relations between personas, and which of them a persona is asked for (Persona Hub, section 2.2)."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json

TAXONOMY = Path(__file__).with_name("taxonomy.yaml")
LOW_VISIBILITY_SHARE = 0.5  # of single choices: without it two hops with fan-out 1 would seldom leave the visible web


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


def choose(persona_id: str, hop: int, fanout: int) -> list[Relation]:
    """`fanout` different relations for a persona at a hop: the same on any machine, in the order of their rank.

    Families are spread: none comes twice while another has relations left. Low-visibility people are always reached
    where there are two or more relations (the first one is of that kind, so a cap keeps it), and with probability
    `LOW_VISIBILITY_SHARE` where there is one.
    """
    relations = taxonomy()
    ranked, coin = _ranked(persona_id, hop)
    if fanout <= 0:
        return []
    visibility = "low" if fanout > 1 or coin < LOW_VISIBILITY_SHARE else "ordinary"
    chosen = [next(index for index in ranked if relations[index].visibility == visibility)]
    families = {relations[chosen[0]].family}
    while len(chosen) < min(fanout, len(relations)):
        left = [index for index in ranked if index not in chosen]
        fresh = [index for index in left if relations[index].family not in families]
        if not fresh:
            families.clear()
            fresh = left
        chosen.append(fresh[0])
        families.add(relations[fresh[0]].family)
    return [relations[index] for index in chosen]


def _ranked(persona_id: str, hop: int) -> tuple[list[int], float]:
    """Indexes of all relations, in an order drawn by weight without replacement, and one more uniform number.

    Efraimidis and Spirakis (2006): sorting by log(u) / weight, u uniform, is such a draw.
    """
    weights = np.array([relation.weight for relation in taxonomy()])
    stream = hashlib.shake_256(canonical_json([persona_id, hop])).digest(4 * (len(weights) + 1))
    uniform = (np.frombuffer(stream, dtype="<u4") + 0.5) / 2.0**32
    keys = np.log(uniform[:-1]) / weights
    return np.argsort(-keys, kind="stable").tolist(), float(uniform[-1])
