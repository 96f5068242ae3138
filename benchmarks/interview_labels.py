"""The rubric of interviews with 60 published answers that were labelled by hand, for whoever has the data.

python -m benchmarks.interview_labels DATA TASKS

DATA holds `interviews/` and `profiles/` of Character-LLM as published (CC BY-NC 4.0). Writes `rubrics/interviews.yaml` into
TASKS, a folder of task files: the bundled rubric with a case for each label of `interview_labels.yaml`. PERSONA_TASKS=TASKS
then calibrates a judge on these too. The file holds texts of the data, so it is under their licence and belongs to nobody else.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import yaml

from persona_assets.characters.evidence import evidence_for
from persona_assets.characters.logs import TEXTS, interviews_of
from persona_assets.characters.profile import profile_of
from persona_assets.characters.questions import about
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.prompts.template import ENVIRONMENT
from persona_assets.tasks.judges.rubrics import FOLDER, JUDGE

LABELS = Path(__file__).with_suffix(".yaml")
RUBRIC = JUDGE.parent / FOLDER / "interviews.yaml"
DATASET = "interview_answers"
CRITERIA = ("memorization", "hallucination")
OF_QUESTION = 5  # statements by the question, as `interview_answers` has them


def labelled(data: Path, labels: dict[str, Any]) -> pl.DataFrame:
    """The labelled answers: file, place, `question`, `words` and their labels.

    Raises:
        UsageError: a file is missing, or another answer stands in a place.
    """
    rows, read = [], dict[str, pl.DataFrame]()
    for one in labels["labels"]:
        path = data / "interviews" / one["file"]
        if one["file"] not in read:
            if not path.is_file():
                raise UsageError(f"{path} is not there: give the folder that holds interviews/ and profiles/")
            read[one["file"]] = interviews_of(_rows(path))
        found = read[one["file"]].row(one["place"], named=True)
        if digest((found["words"] or "").encode()) != one["digest"]:
            raise UsageError(f"{path}, row {one['place'] + 1}: it is another answer than the one that was labelled")
        rows.append({**one, "question": found["question"], "words": found["words"]})
    return pl.DataFrame(rows, infer_schema_length=None)


def _rows(path: Path) -> pl.DataFrame:
    told = json.loads(path.read_text(encoding="utf-8"))
    return pl.DataFrame(
        [
            {name: json.dumps(value) if name in TEXTS else value for name, value in row.items()}
            | {"row_id": f"row_{place}", "file": f"{path.parent.name}/{path.name}", "place": place}
            for place, row in enumerate(told)
        ],
        infer_schema_length=None,
    )


def cases_of(data: Path, labels: dict[str, Any], encoder: str = "") -> list[dict[str, str]]:
    """A case for each label, as a judge is shown the answer."""
    profile = profile_of((data / labels["profile"]).read_text(encoding="utf-8"))
    shown = ENVIRONMENT.from_string(yaml.safe_load(RUBRIC.read_text(encoding="utf-8"))["judges"][DATASET])
    answers = labelled(data, labels).with_row_index("number")
    evidence = _evidence(profile.text, answers, encoder)
    cases = []
    for row in answers.iter_rows(named=True):
        told = {
            "name": profile.name,
            "about": about(profile.text),
            "evidence": evidence[f"words-{row['number']}"],
            "talk": [{"asked": row["question"], "said": row["words"]}],
        }
        text = shown.render(told).strip()
        cases += [{"of": one, "language": "en", "label": row[one], "shown": text} for one in CRITERIA if row[one]]
    return cases


def _evidence(text: str, answers: pl.DataFrame, encoder: str) -> dict[str, list[str]]:
    """The statements for each answer, those by the question first."""
    told = [
        {"sample_id": f"{start}", "text": text[start:end], "start": start}
        for paragraph in profile_of(text).paragraphs
        for start, end in paragraph.statements()
    ]
    same = {"shard": pl.lit("labels"), "character_id": pl.lit("chr"), "date": pl.lit(None, pl.String)}
    statements = pl.DataFrame(told).with_columns(**same)
    asked = answers.select("number", "question", "words").with_columns(**same, language=pl.lit("en"))
    with TemporaryDirectory() as folder:
        lake = Lake(folder)
        lake.declare()
        questions = asked.with_columns(
            id=pl.format("question-{}", "number"), text="question", cited=pl.lit([], pl.List(pl.String))
        )
        first = evidence_for(questions, statements, lake, encoder, OF_QUESTION)
        cited = first.select(cited="statement_ids", number=pl.col("id").str.split("-").list.last().cast(pl.UInt32))
        words = asked.join(cited, on="number").with_columns(id=pl.format("words-{}", "number"), text="words")
        found = evidence_for(words, statements, lake, encoder)
    return dict(found.select("id", "statements").iter_rows())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("tasks", type=Path)
    given = parser.parse_args()
    cases = cases_of(given.data, yaml.safe_load(LABELS.read_text(encoding="utf-8")))
    rubric = yaml.safe_load(RUBRIC.read_text(encoding="utf-8"))
    path = given.tasks / FOLDER / RUBRIC.name
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = rubric | {"cases": [*rubric["cases"], *cases]}
    path.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")
    print(f"{path}: {len(cases)} cases of labelled answers beside {len(rubric['cases'])} of the package")


if __name__ == "__main__":
    try:
        main()
    except PersonaAssetsError as error:
        sys.exit(str(error))
