"""Rubrics: what a judge is shown of a row, by which criteria it rates it, and texts whose rating is known.

A rubric is a YAML file in `rubrics/`, of the package or of the folder of task files:

```yaml
version: 1
judges:
  math_solutions: "{{ math_problems.problem }} {{ solution }}"  # what is shown of a row of this table
criteria:
  - id: correctness
    asks: Is the solution right?
    anchors: {1: The answer is wrong., 3: A step is missing., 5: Every step holds.}
    least: 3.5                       # of the mean, where the judge is calibrated; optional
compares:                            # of each of two rows that came from one row, which is called `row`; optional
  math_solutions: "{{ row.solution }}"
both_orders: [pole_pairs]            # shown twice, the other way round where `order` is "swapped"; optional
cases:                               # texts written for the purpose, good and bad ones
  - {of: correctness, language: en, label: good, shown: "..."}
```

A dataset of `both_orders` is one whose rows hold two texts, of which the judge says by the ends of the scale which one
it is. What is shown puts them the other way round where `order` is `swapped`; the score then counts from the other end.

For each dataset that the setting `judged` names there is then a task `<dataset>_judged`, whose rows are verdicts, and
`<dataset>_scores`, what they come to (`scores`); for each that `compared` names `<dataset>_pairs`, `_compared` and
`_preferences` (`pairs`). The cases are rated by the same prompt, `judge_calibration`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from jinja2 import meta
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.prompts import Template
from persona_assets.prompts.load import files_of, read_as, wrong
from persona_assets.prompts.template import ENVIRONMENT, MessageTemplate
from persona_assets.tasks.derived import Derived
from persona_assets.tasks.judges.pairs import pairs_of, preferences_of
from persona_assets.tasks.judges.scores import CALIBRATION, CASES, ORDERS, SCORES, judge_standing, scores_of

JUDGE = Path(__file__).with_name("judge.yaml")
COMPARE = JUDGE.with_name("compare.yaml")
FOLDER = "rubrics"
_PLACE = "SHOWN"  # in the prompt, for what is shown


class Criterion(BaseModel):
    """What is rated, and what scores mean; `least` is the least mean of a partition's scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    asks: str = Field(min_length=1)
    anchors: dict[int, str]
    least: float | None = Field(None, ge=SCORES[0], le=SCORES[1])

    @field_validator("anchors")
    @classmethod
    def _of_scores(cls, anchors: dict[int, str]) -> dict[int, str]:
        if not set(SCORES) <= set(anchors) or not all(SCORES[0] <= score <= SCORES[1] for score in anchors):
            raise ValueError(f"say what {SCORES[0]} and {SCORES[1]} mean, and other scores between them if you like")
        return dict(sorted(anchors.items()))


class Case(BaseModel):
    """A text whose rating is known: a good one ought to be rated higher than a bad one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    of: str
    language: str = Field(min_length=2)
    label: Literal["good", "bad"]
    shown: str = Field(min_length=1)


class Rubric(BaseModel):
    """A rubric file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int = Field(ge=1)
    judges: dict[str, str] = Field(default_factory=dict)
    compares: dict[str, str] = Field(default_factory=dict)
    both_orders: frozenset[str] = frozenset()
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    cases: tuple[Case, ...] = Field(min_length=1)

    @field_validator("judges", "compares")
    @classmethod
    def _shows_something(cls, shows: dict[str, str]) -> dict[str, str]:
        for dataset, shown in shows.items():
            try:
                MessageTemplate(role="user", content=shown)
            except ValidationError as error:
                said = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"{dataset}: {said}") from error
            if not shown.strip():
                raise ValueError(f"{dataset}: nothing is shown")
        return shows

    @model_validator(mode="after")
    def _check(self) -> "Rubric":
        if not (self.judges or self.compares):
            raise ValueError("nothing is shown: name a dataset under judges or compares")
        for dataset in sorted(self.both_orders):
            if dataset not in self.judges:
                said = f"both_orders: {dataset} is not under judges; {did_you_mean(dataset, self.judges)}"
                raise ValueError(said)
            if "order" not in meta.find_undeclared_variables(ENVIRONMENT.parse(self.judges[dataset])):
                raise ValueError(
                    f"both_orders: what is shown of {dataset} is the same in both; let it depend on `order`"
                )
        known = [criterion.id for criterion in self.criteria]
        if len(set(known)) < len(known):
            raise ValueError("two criteria have one id")
        for number, case in enumerate(self.cases, 1):
            if case.of not in known:
                raise ValueError(f"case {number} is of no criterion {case.of}; {did_you_mean(case.of, known)}")
        return self

    @property
    def digest(self) -> str:
        """Digest of the criteria, which decide what scores are worth."""
        return digest(canonical_json([one.model_dump(mode="json") for one in self.criteria]))


Declared = Template | Derived


@dataclass(frozen=True)
class Judged:
    """What settings have judged: datasets with the share of their rows, and those of which pairs are compared."""

    rows: Mapping[str, float]
    pairs: Mapping[str, float]
    votes: int


def judging(judged: Judged, instead: Path | None) -> Iterator[tuple[Path, Declared]]:
    """The tasks and functions that judge, with the files that say so. Rubrics in `instead` replace the bundled ones.

    Raises:
        UsageError: a rubric is wrong, or none judges or compares a dataset.
    """
    if not (judged.rows or judged.pairs):
        return
    rubrics = _rubrics(instead)
    of_rows = _of("judges", "PERSONA_JUDGED", judged.rows, rubrics)
    of_pairs = _of("compares", "PERSONA_COMPARED", judged.pairs, rubrics)
    used = dict.fromkeys((*of_rows.values(), *of_pairs.values()))
    calibration = _template(
        JUDGE,
        "{{ shown }}",
        name=CALIBRATION,
        version=1,
        title="Judges on known texts",
        description="Verdicts on texts whose rating is known: what a judge is worth.",
        reads={"file": f"{FOLDER}/*.yaml", "rows": "cases", "table": CASES},
        over={"criterion": [row for path in used for row in _rows(path, rubrics[path])]},
        keep_if="criterion.file == file and criterion.name == of",
        attempts=judged.votes,
    )
    yield JUDGE, calibration
    yield JUDGE, judge_standing
    for dataset, path in of_rows.items():
        rubric = rubrics[path]
        orders = {"order": list(ORDERS)} if dataset in rubric.both_orders else {}
        verdicts = _template(
            JUDGE,
            rubric.judges[dataset],
            name=f"{dataset}_judged",
            version=rubric.version,
            title=f"Verdicts on {dataset}",
            description=f"What a judge says of rows of {dataset}, by each criterion of the rubric {path.stem}.",
            reads=dataset,
            over={"criterion": [*_rows(path, rubric)], **orders},
            share=judged.rows[dataset],
            attempts=judged.votes,
        )
        yield path, verdicts
        least = {f"{path.stem}.{one.id}": one.least for one in rubric.criteria if one.least is not None}
        yield JUDGE, scores_of(dataset, least, rubric.digest, both_orders=bool(orders))
    for dataset, path in of_pairs.items():
        rubric = rubrics[path]
        verdicts = _template(
            COMPARE,
            rubric.compares[dataset],
            name=f"{dataset}_compared",
            version=rubric.version,
            title=f"Comparisons of {dataset}",
            description=f"Which of two rows of {dataset} a judge prefers, in both orders, by the rubric {path.stem}.",
            reads=f"{dataset}_pairs",
            over={"criterion": [*_rows(path, rubric)], "order": list(ORDERS)},
            share=judged.pairs[dataset],
            attempts=judged.votes,
            **{"with": {name: _row_of(dataset, name) for name in ("first", "second")}},
        )
        yield JUDGE, pairs_of(dataset)
        yield path, verdicts
        yield JUDGE, preferences_of(dataset)


def _row_of(dataset: str, name: str) -> dict[str, Any]:
    return {"from": dataset, "on": {f"{name}_id": "sample_id"}, "take": 1}


def _of(key: str, setting: str, wanted: Iterable[str], rubrics: Mapping[Path, Rubric]) -> dict[str, Path]:
    """The rubric of each dataset."""
    found = {dataset: path for path, rubric in rubrics.items() for dataset in getattr(rubric, key)}
    for dataset in wanted:
        if dataset not in found:
            said = f"{setting}: no rubric {key} {dataset}; {did_you_mean(dataset, found)}"
            raise UsageError(f"{said}. A rubric is a file in {FOLDER}/ of the folder PERSONA_TASKS")
    return {dataset: found[dataset] for dataset in wanted}


def _rows(path: Path, rubric: Rubric) -> Iterator[dict[str, Any]]:
    """The criteria as values of `over`; a column keeps `<rubric>.<criterion>`."""
    for one in rubric.criteria:
        yield {
            "id": f"{path.stem}.{one.id}",
            "file": f"{FOLDER}/{path.name}",
            "name": one.id,
            "asks": one.asks,
            "anchors": [[score, meaning] for score, meaning in one.anchors.items()],
        }


def _template(prompt: Path, shown: str, **told: Any) -> Template:  # noqa: ANN401 - values of YAML
    """A judge's prompt with what is shown in it."""
    asked = _prompt(prompt)
    *before, last = asked["messages"]
    messages = [*before, {**last, "content": last["content"].replace(_PLACE, shown.strip())}]
    return Template.model_validate({**asked, **told, "messages": messages})


@cache
def _prompt(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _rubrics(instead: Path | None) -> dict[Path, Rubric]:
    """The rubrics, by their files.

    Raises:
        UsageError: one is no YAML, or not a rubric, or two judge one dataset; the message names file and key.
    """
    own = files_of(instead, f"{FOLDER}/*.yaml") if instead else []
    found = {path: read_as(path, Rubric, _PARTS) for path in own or files_of(JUDGE.parent, f"{FOLDER}/*.yaml")}
    taken: dict[tuple[str, str], Path] = {}
    for path, rubric in found.items():
        for key, dataset in [("judges", one) for one in rubric.judges] + [("compares", one) for one in rubric.compares]:
            other = taken.setdefault((key, dataset), path)
            if other is not path:
                raise wrong(path, (key, dataset), f"{other.name} {key} {dataset} too: one rubric does")
    return found


_PARTS: Mapping[str, type[BaseModel]] = {"criteria": Criterion, "cases": Case}
