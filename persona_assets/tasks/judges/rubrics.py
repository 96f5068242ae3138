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
    when: words | length > 20        # the rows that are rated by it, an expression; optional, else all
scale: [1, 5]                        # the lowest and the highest score; optional
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
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.prompts import Template
from persona_assets.prompts.load import files_of, read_as, wrong
from persona_assets.prompts.template import ENVIRONMENT, MessageTemplate, is_expression
from persona_assets.tasks.derived import Derived
from persona_assets.tasks.judges.pairs import pairs_of, preferences_of
from persona_assets.tasks.judges.scores import CALIBRATION, CASES, ORDERS, SCORES, judge_standing, scores_of

JUDGE = Path(__file__).with_name("judge.yaml")
COMPARE = JUDGE.with_name("compare.yaml")
FOLDER = "rubrics"
MOST_SCORES = 99  # between the ends of a scale
_RANGE = "From {} to {}".format(*SCORES)  # in the schema, for the scores that there are
_PLACE = "SHOWN"  # in the prompt, for what is shown


Scale = tuple[int, int]


class Criterion(BaseModel):
    """What is rated, and what scores mean; `least` is the least mean of a partition's scores.

    `when` is an expression on what is shown of a row: others are not rated by it. `ends` are those of the
    rubric's scale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    ends: Scale = Field(SCORES, exclude=True)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    asks: str = Field(min_length=1)
    anchors: dict[int, str]
    least: float | None = None
    when: str = ""

    @field_validator("anchors")
    @classmethod
    def _of_scores(cls, anchors: dict[int, str], info: ValidationInfo) -> dict[int, str]:
        low, high = info.data["ends"]
        if not {low, high} <= set(anchors) or not all(low <= score <= high for score in anchors):
            raise ValueError(f"say what {low} and {high} mean, and other scores between them if you like")
        return dict(sorted(anchors.items()))

    @field_validator("least")
    @classmethod
    def _on_scale(cls, least: float | None, info: ValidationInfo) -> float | None:
        low, high = info.data["ends"]
        if least is not None and not low <= least <= high:
            raise ValueError(f"{least} is not on the scale from {low} to {high}")
        return least

    _when_is_one = field_validator("when")(is_expression)

    @property
    def between(self) -> str:
        """The scores that no anchor explains, such as `2 and 4`; "" where each has one."""
        low, high = self.ends
        *others, last = ["", *(str(score) for score in range(low, high + 1) if score not in self.anchors)]
        return " and ".join(part for part in (", ".join(others[1:]), last) if part)


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
    scale: Scale = SCORES
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

    @model_validator(mode="before")
    @classmethod
    def _with_ends(cls, told: Any) -> Any:  # noqa: ANN401 - any YAML
        """Criteria that know the scale; what is wrong with it is told of itself."""
        if not isinstance(told, dict) or not isinstance(told.get("criteria"), list):
            return told
        scale = told.get("scale", SCORES)
        ends = scale if _is_scale(scale) else SCORES
        return {
            **told,
            "criteria": [{**one, "ends": ends} if isinstance(one, dict) else one for one in told["criteria"]],
        }

    @field_validator("scale", mode="before")
    @classmethod
    def _has_two_ends(cls, scale: Any) -> Any:  # noqa: ANN401 - any YAML
        if not _is_scale(scale):
            raise ValueError(f"give the lowest and the highest score, such as [1, 7], at most {MOST_SCORES} apart")
        return scale

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
        """Digest of the criteria and the scale, which decide what scores are worth."""
        told = [one.model_dump(mode="json", exclude_defaults=True) for one in self.criteria]
        return digest(canonical_json([self.scale, told]))

    @property
    def keep_if(self) -> str:
        """The expression that says which rows are rated by which criterion; "" where all are by each."""
        told = [f"(criterion.name != '{one.id}' or ({one.when}))" for one in self.criteria if one.when]
        return " and ".join(told)


def _is_scale(scale: object) -> bool:
    if not (isinstance(scale, list | tuple) and [type(end) for end in scale] == [int, int]):
        return False
    low, high = scale
    return bool(low < high <= low + MOST_SCORES)


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
    calibration = _judge(
        "{{ shown }}",
        {f"{FOLDER}/{path.name}": rubrics[path].scale for path in used},
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
        verdicts = _judge(
            rubric.judges[dataset],
            {f"{FOLDER}/{path.name}": rubric.scale},
            name=f"{dataset}_judged",
            version=rubric.version,
            title=f"Verdicts on {dataset}",
            description=f"What a judge says of rows of {dataset}, by each criterion of the rubric {path.stem}.",
            reads=dataset,
            over={"criterion": [*_rows(path, rubric)], **orders},
            keep_if=rubric.keep_if,
            share=judged.rows[dataset],
            attempts=judged.votes,
        )
        yield path, verdicts
        least = {f"{path.stem}.{one.id}": one.least for one in rubric.criteria if one.least is not None}
        yield JUDGE, scores_of(dataset, least, rubric.digest, rubric.scale, both_orders=bool(orders))
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
            "ends": [*rubric.scale],
            "between": one.between,
        }


def _judge(shown: str, scales: Mapping[str, Scale], **told: Any) -> Template:  # noqa: ANN401 - values of YAML
    """The prompt of verdicts by rubrics of these scales, by file.

    The schema has all their scores; where they differ, a rule holds each verdict to its own.
    """
    asked = _prompt(JUDGE)
    score = asked["response_schema"]["properties"]["score"]
    low, high = min(low for low, _ in scales.values()), max(high for _, high in scales.values())
    said = score["description"].replace(_RANGE, f"From {low} to {high}")
    schema = {**asked["response_schema"], "properties": {**asked["response_schema"]["properties"]}}
    schema["properties"]["score"] = {**score, "minimum": low, "maximum": high, "description": said}
    rules = [*asked["validity"]]
    if len({*scales.values()}) > 1:
        rules.append({"rule": "on_scale", "args": {"field": "score", "of": "file", "scales": dict(scales)}})
    return _template(JUDGE, shown, response_schema=schema, validity=rules, **told)


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
