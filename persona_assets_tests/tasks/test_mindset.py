"""Machine Mindset in a small lake that the real steps made: seeds, answers of poles, pairs, behaviour, preferences."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.contrast.words import first_word
from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.export.folder import export
from persona_assets.export.poles import export_poles
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.judges.rubrics import JUDGE
from persona_assets.tasks.load import FILES, datasets
from persona_assets.view.blocks import Section
from persona_assets.view.markdown import render
from persona_assets_tests.plan.work import Work, new_calls
from persona_assets_tests.rows import draft

DOCS = Path(__file__).parents[2] / "docs"
ORDER = (*("seed_files", "instruction_seeds", "poles", "pole_answers", "pole_pairs", "behaviour", "preference_poles"),)
POLES, TRAITS = (
    yaml.safe_load((FILES / "mindset" / f"{name}.yaml").read_text(encoding="utf-8"))["poles"]
    for name in ("mbti", "big_five")
)
OPPOSITE = {pole["id"]: pole["opposite"] for pole in POLES}
TYPES = [e + s + t + j for e in "EI" for s in "SN" for t in "TF" for j in "JP"]
SEEDS = (
    "How should we refuse the lottery money?",
    "Which type of bread suits a rainy Sunday?",
    "Count the apples in the old cellar.",
    "Describe the harbour early in the morning.",
    "Compose a toast for the wedding of my sister.",
    "Plan a quiet evening with old friends.",
    "怎样安排一次全家人的周末郊游？",
    "Как провести дождливое воскресенье дома?",
)
REFUSED, TYPED, COUNTED, SAME, LONG, *_ = SEEDS
ONE = "On an ordinary morning the water lies still, and the first boat leaves without a sound."
# What some poles answer to some seeds; all else is the offline engine's.
ANSWERS = {
    (REFUSED, "I"): "I'm sorry, but I can't help with that.",
    (TYPED, "F"): "As an introvert I would bake a dark rye loaf and share it with the neighbours.",
    (COUNTED, "S"): "There are 12 apples in the cellar, each of them red, and one basket beside them.",
    (COUNTED, "N"): "What if the 15 apples in the cellar were planets of one small and sleeping sun?",
    (SAME, "J"): ONE,
    (SAME, "P"): f" {ONE.upper()}",
    (LONG, "T"): "To my sister, for good reasons, all the best.",
}  # fmt: skip


class Told(OfflineEngine):
    """The offline engine, but for what `ANSWERS` says."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest = []
        for request in requests:
            asked = request.messages[1]["content"]
            found = [
                answer
                for (seed, pole), answer in ANSWERS.items()
                if seed in asked and manner(pole)[:40] in asked and request.template.name == "pole_answers"
            ]
            if found:
                yield [Completion(request.call_id, found[0], "stop", 100, 20, 0.01)]
            else:
                rest.append(request)
        yield from super().stream(rest)


def manner(pole: str, language: str = "en") -> str:
    told: str = next(one["manner"][language] for one in POLES if one["id"] == pole)
    return told


def made(work: Work, engine: OfflineEngine, *names: str) -> dict[str, int]:
    """Make every partition of these assets; by asset the calls that it took."""
    state = LakeState(work.lake, work.settings)
    context = Context(work.lake, work.settings, engine, "run", keeper=state)
    return {
        name: sum(report.calls_made for key in state.keys(name) for _, report in state.assets[name].run(context, key))
        for name in names
    }


def place(folder: Path, seeds: Sequence[Any], **settings: Any) -> Work:
    (folder / "tasks" / "seeds").mkdir(parents=True)
    rows = [{"instruction": seed, "input": " "} for seed in seeds]
    (folder / "tasks" / "seeds" / "own.json").write_text(json.dumps(rows), encoding="utf-8")
    values = {"lake": str(folder / "lake"), "dumps": str(folder / "dumps"), "tasks": str(folder / "tasks")}
    return Work(folder, Settings(**values, datasets=("preference_poles",), **settings))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    work = place(tmp_path_factory.mktemp("mindset"), SEEDS)
    made(work, Told(work.settings), *ORDER)
    return work


def rows(work: Work, asset: str, key: str = "own") -> pl.DataFrame:
    return work.lake.read(datasets(work.settings)[asset].table, key)


def aside(work: Work, asset: str) -> pl.DataFrame:
    return work.lake.rejects(datasets(work.settings)[asset].table, "own").collect()


def seed_ids(work: Work) -> dict[str, str]:
    return dict(rows(work, "instruction_seeds").select("instruction", "sample_id").iter_rows())


# Dimensions


def test_each_pole_has_an_opposite_and_a_manner_in_three_languages_that_names_no_type() -> None:
    assert set(OPPOSITE) == set("EISNTFJP")
    assert all(OPPOSITE[OPPOSITE[pole]] == pole != OPPOSITE[pole] for pole in OPPOSITE)
    assert all(set(pole["manner"]) == {"en", "zh", "ru"} for pole in POLES)
    manners = pl.DataFrame({"text": [text for pole in POLES for text in pole["manner"].values()]})
    assert manners["text"].n_unique() == 24
    assert manners.select(first_word(pl.col("text"))).to_series().drop_nulls().to_list() == []


# Answers


def test_every_seed_is_asked_of_every_pole_once_in_its_own_language(work: Work) -> None:
    answers, refused = rows(work, "pole_answers"), aside(work, "pole_answers")
    assert answers.height + refused.height == len(SEEDS) * 8
    assert Counter(refused["reason"]) == {"no_refusal": 1, "names_no_type": 1}
    assert answers.select("parent_ids", "pole").is_duplicated().sum() == 0
    languages = Counter(answers.filter(pl.col("pole") == "E")["language"])
    assert languages == {"en": 6, "zh": 1, "ru": 1}


def test_no_prompt_names_a_pole_or_theory(work: Work) -> None:
    step = datasets(work.settings)["pole_answers"]
    texts = [message.content for message in step.template.messages]  # type: ignore[union-attr]
    assert "{{ pole.id }}" not in "".join(texts)
    assert pl.DataFrame({"text": texts}).select(first_word(pl.col("text"))).to_series().drop_nulls().to_list() == []


def test_the_offline_engine_answers_poles_in_other_words(work: Work) -> None:
    answers = rows(work, "pole_answers")
    for _, part in answers.group_by("parent_ids"):
        assert part["answer"].n_unique() >= part.height - 1  # of the seed whose answers are the same
    by_pole = answers.filter(pl.col("language") == "en").group_by("pole").agg(pl.col("answer").n_unique(), pl.len())
    assert (by_pole["answer"] == by_pole["len"]).all()


# Pairs


def test_a_pair_stands_or_falls_together_and_the_other_side_is_accounted_for(work: Work) -> None:
    pairs, ids = rows(work, "pole_pairs"), seed_ids(work)
    assert pairs.height == len(SEEDS) * 4 - 2
    alone = aside(work, "pole_pairs")
    assert set(alone["reason"]) == {"other_pole_refused"}
    poles = dict(rows(work, "pole_answers").select("sample_id", "pole").iter_rows())
    of = dict(rows(work, "pole_answers").select("sample_id", pl.col("parent_ids").list.first()).iter_rows())
    assert {(of[one], poles[one]) for one in alone["row_id"]} == {(ids[REFUSED], "E"), (ids[TYPED], "T")}


def test_both_sides_answer_the_same_instruction_from_opposite_poles(work: Work) -> None:
    answers = {row["sample_id"]: row for row in rows(work, "pole_answers").to_dicts()}
    seeds = {sample: text for text, sample in seed_ids(work).items()}
    for pair in rows(work, "pole_pairs").to_dicts():
        one, other = (answers[parent] for parent in pair["parent_ids"])
        assert one["parent_ids"] == other["parent_ids"] == [pair["seed_id"]]
        assert (one["pole"], other["pole"]) == (pair["one_pole"], pair["other_pole"])
        assert OPPOSITE[pair["one_pole"]] == pair["other_pole"]
        assert pair["one_pole"] in "ESTJ"
        assert (one["answer"], other["answer"]) == (pair["one"], pair["other"])
        assert seeds[pair["seed_id"]] == pair["instruction"]
        assert pair["language"] == one["language"] == other["language"]


def test_pairs_that_show_no_contrast_or_other_facts_are_set_aside(work: Work) -> None:
    found = aside(work, "behaviour")
    pairs = {row["sample_id"]: row for row in rows(work, "pole_pairs").to_dicts()}
    told = {pairs[row["row_id"]]["instruction"]: (row["reason"], row["detail"]) for row in found.to_dicts()}
    assert {seed: reason for seed, (reason, _) in told.items()} == {COUNTED: "numbers_differ", SAME: "identical"}
    assert "12" in told[COUNTED][1]
    assert rows(work, "behaviour").height + found.height == len(pairs)


def test_the_ceiling_of_likeness_is_a_setting(work: Work) -> None:
    step = _function("behaviour")
    scan = {name: rows(work, name).lazy() for name in ("pole_pairs", "instruction_seeds")}
    found = step.declared.function(*scan.values(), pair_ceiling=0.01, encoder="", max_unknown_share=0.5, lake=work.lake)
    assert set(found["reason"]) == {"too_alike", "identical", "numbers_differ"}


# The stance probe

PROBE = ("probe_limits", "pole_probe")


def probed(folder: Path, pairs: Sequence[tuple[str, str]]) -> tuple[pl.DataFrame, DerivedStep]:
    """What the probe makes of pairs that introverts and extraverts answered."""
    step, lake = _function("pole_probe"), Lake(str(folder / "lake"))
    told = dict.fromkeys(("language", "shard", "dimension_set", "dimension"), pl.lit("en"))
    frame = pl.DataFrame(pairs, schema=("one", "other"), orient="row").with_row_index("at")
    named = frame.with_columns(
        **told,
        sample_id=pl.format("smp_{}", pl.col("at").cast(pl.String).str.zfill(6)),
        parent_ids=pl.concat_list(pl.format("pair_{}", "at")),
        instruction=pl.format("task {}", "at"),
    )
    limits = pl.LazyFrame({"row_id": ["row_1"], "least": [0.8]})
    given = {"encoder": "", "max_unknown_share": 0.5, "lake": lake}
    return step.declared.function(limits, named.lazy(), **given), step  # type: ignore[return-value]


THINGS = ("bread", "a garden", "the harbour", "old maps", "a bicycle", "the choir", "rain", "a letter", "chess", "soup")
DAYS = ("on Monday", "in spring", "before lunch", "after the fair", "at night", "on holiday", "in May", "at dawn")
LOUD = "Call everybody, let us talk about {} {} and laugh together!"
QUIET = "I would think about {} {} alone, in a silent room, for a long while."


def test_poles_that_differ_throughout_pass_the_probe(tmp_path: Path) -> None:
    asked = [(thing, f"{day} {number}") for thing in THINGS for day in DAYS for number in ("once", "twice", "again")]
    found, _ = probed(tmp_path, [(LOUD.format(*one), QUIET.format(*one)) for one in asked])
    [row] = found.to_dicts()
    assert (row["pairs"], row["measured"], row["taken_for_others"]) == (240, 240, [])
    assert row["accuracy"] == 1
    assert 0.4 < row["shuffled"] < 0.6


def test_poles_that_are_mixed_up_fail_the_gate_and_the_pairs_taken_for_others_are_named(tmp_path: Path) -> None:
    asked = [(thing, f"{day} {number}") for thing in THINGS for day in DAYS for number in ("once", "twice", "again")]
    texts = [(LOUD.format(*one), QUIET.format(*one)) for one in asked]
    mixed = [pair if hash_of(pair[0]) % 2 else pair[::-1] for pair in texts]
    found, step = probed(tmp_path, mixed)
    [row] = found.to_dicts()
    assert row["accuracy"] < 0.7
    assert len(set(row["taken_for_others"])) == 10
    [check] = step.declared.set_checks
    assert check.function(found.lazy()).collect().height == 1  # type: ignore[union-attr]


def hash_of(text: str) -> int:
    return int(digest(text.encode())[:8], 16)


def test_few_instructions_are_not_measured_and_fail_nothing(work: Work) -> None:
    made(work, Told(work.settings), *PROBE)
    found = rows(work, "pole_probe", "limits")
    assert found.height == 3 * 4
    assert found["pairs"].sum() == rows(work, "behaviour").height
    assert found.select("accuracy", "low", "shuffled").null_count().row(0) == (12, 12, 12)
    state = LakeState(work.lake, work.settings)
    table = state.assets["pole_probe"].table
    outcomes = run_gates(work.lake, draft(work.lake, table, "limits"), work.settings, state.around("pole_probe"))
    assert [gate.name for gate in outcomes if not gate.passed] == []
    shows = _function("pole_probe").declared.shows
    assert shows
    assert "not measured" in render(Section("", list(shows(found))))


def test_the_card_names_the_files_that_rows_hang_on_and_speaks_of_no_web(work: Work, tmp_path: Path) -> None:
    export(work.lake, assets(work.settings), Export("behaviour", tmp_path / "out"))
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "from what stands in data files." in text
    assert f"| `seed_files` | `own` | {len(SEEDS)} |" in text
    assert "web" not in text
    assert "release" not in text


def test_what_the_probe_says_is_audited_to_its_limits(work: Work) -> None:
    made(work, Told(work.settings), *PROBE)
    found = audit(work.lake, work.settings, rows(work, "pole_probe", "limits")["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}


# What a judge says of pairs

RUBRIC = yaml.safe_load((JUDGE.parent / "rubrics" / "manner.yaml").read_text(encoding="utf-8"))
KNOWN = {" ".join(case["shown"].split()): case["label"] for case in RUBRIC["cases"]}


class Judge(Told):
    """A judge that is right, but for two seeds: of one it takes one answer for the other, of one whichever is first."""

    able = True

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            shown = " ".join(request.messages[-1]["content"].partition("<shown>")[2].partition("</shown>")[0].split())
            if request.template.name == "judge_calibration":
                score = 5 if self.able and KNOWN[shown] == "good" else 1
            elif request.template.name == "pole_pairs_judged":
                score = self.told(shown)
            else:
                yield from super().stream([request])
                continue
            yield [Completion(request.call_id, json.dumps({"reason": "as it is", "score": score}), "stop", 9, 9, 0.0)]

    def told(self, shown: str) -> int:
        if SEEDS[3] in shown:
            return 5
        asked = next(pole for pole in POLES if manner(pole["id"], language_of(shown))[:30] in shown)
        first = shown.partition("<first>")[2].partition("</first>")[0]
        is_first = (" ".join(self.answers[asked["id"], seed_in(shown)].split())) == first.strip()
        return 5 if is_first != (SEEDS[4] in shown) else 1

    answers: Mapping[tuple[str, str], str] = {}


def seed_in(shown: str) -> str:
    return next(seed for seed in SEEDS if seed in shown)


def language_of(shown: str) -> str:
    return {SEEDS[6]: "zh", SEEDS[7]: "ru"}.get(seed_in(shown), "en")


JUDGED = ("judge_cases", "judge_calibration", "judge_standing", "pole_pairs_judged", "pole_pairs_scores", "behaviour")


@pytest.fixture(scope="module", params=[True, False], ids=["able", "unable"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Work, bool]:
    work = place(tmp_path_factory.mktemp("judged"), SEEDS, judged={"pole_pairs": 1.0}, judge_votes=1)
    judge = Judge(work.settings)
    made(work, judge, *ORDER[: ORDER.index("behaviour")])
    found = rows(work, "pole_pairs").select("one_pole", "other_pole", "instruction", "one", "other").iter_rows()
    judge.able = request.param
    judge.answers = {
        key: text
        for one, other, seed, *texts in found
        for key, text in zip(((one, seed), (other, seed)), texts, strict=True)
    }
    made(work, judge, *JUDGED)
    return work, request.param


def test_pairs_that_a_calibrated_judge_cannot_tell_apart_are_set_aside(told: tuple[Work, bool]) -> None:
    work, able = told
    assert set(rows(work, "judge_standing", "manner")["standing"]) == {"calibrated" if able else "not calibrated"}
    found = aside(work, "behaviour").filter(pl.col("reason") == "not_told_apart")
    pairs = dict(rows(work, "pole_pairs").select("sample_id", "instruction").iter_rows())
    details = {(pairs[row], detail) for row, detail in found.select("row_id", "detail").iter_rows()}
    wrong = {(SEEDS[3], "the judge offline goes by the place"), (SEEDS[4], "the judge offline gives 1.0 of 5")}
    assert details == (wrong if able else set())
    assert found.height == (7 if able else 0)  # of one seed two answers are the same, which is told first


def test_a_judge_is_shown_both_orders_and_no_name_of_a_pole(told: tuple[Work, bool]) -> None:
    work, _ = told
    verdicts, pairs = rows(work, "pole_pairs_judged"), rows(work, "pole_pairs")
    assert verdicts.height == 2 * pairs.height
    assert RUBRIC["judges"]["pole_pairs"].count("_pole") == 0


def test_behaviour_that_was_judged_verifies_down_to_its_seed_file(told: tuple[Work, bool]) -> None:
    work, _ = told
    found = audit(work.lake, work.settings, rows(work, "behaviour")["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}


# Preferences


def test_each_pair_is_a_preference_in_both_directions(work: Work) -> None:
    found = rows(work, "preference_poles")
    assert found.height == 2 * (rows(work, "behaviour").height - 1)
    for _, part in found.group_by("parent_ids"):
        one, other = part.to_dicts()
        assert (one["chosen"], one["rejected"]) == (other["rejected"], other["chosen"])
        assert (one["chosen_pole"], one["rejected_pole"]) == (other["rejected_pole"], other["chosen_pole"])
        assert one["prompt"] == other["prompt"]
        assert one["length_ratio"] == pytest.approx(1 / other["length_ratio"])
        assert one["length_ratio"] == pytest.approx(len(one["chosen"]) / len(one["rejected"]))


def test_a_pair_of_which_one_answer_is_much_longer_is_set_aside(work: Work) -> None:
    [one] = aside(work, "preference_poles").to_dicts()
    pair = next(row for row in rows(work, "behaviour").to_dicts() if row["sample_id"] == one["row_id"])
    assert (pair["instruction"], pair["one_pole"], one["reason"]) == (LONG, "T", "lengths_differ")


@pytest.mark.parametrize("wanted", TYPES)
def test_each_of_the_sixteen_types_takes_its_four_letters_alike_in_each_language(work: Work, wanted: str) -> None:
    taken = rows(work, "preference_poles").filter(pl.col("types").list.contains(wanted))
    assert set(taken["chosen_pole"]) == set(wanted)
    assert set(taken["rejected_pole"]) == {OPPOSITE[letter] for letter in wanted}
    for (language,), part in taken.group_by("language"):
        counts = Counter(part["chosen_pole"])
        assert set(counts) == set(wanted)
        assert set(counts.values()) == {4 if language == "en" else 1}  # as few as the scarcest dimension has


def _function(name: str) -> DerivedStep:
    step = datasets(Settings())[name]
    assert isinstance(step, DerivedStep)
    return step


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["energy", "information", "decision", "execution"])), unique=True
    )
)
def test_a_type_never_has_more_of_one_dimension_than_of_another(there: list[tuple[int, str]]) -> None:
    poles = pl.DataFrame(
        [{key: pole[key] for key in ("id", "set", "dimension", "opposite")} for pole in POLES]
    ).with_columns(file=pl.lit("f"), place=pl.int_range(pl.len()))
    first = {pole["dimension"]: pole["id"] for pole in reversed(POLES)}
    text = dict.fromkeys(("instruction", "one", "other"), "some words")
    pairs = pl.DataFrame(
        [
            {
                "sample_id": f"smp_{seed}_{dimension}",
                "seed_id": f"smp_{seed}",
                "language": "en",
                "dimension_set": "mbti",
                "dimension": dimension,
                "one_pole": first[dimension],
                "other_pole": OPPOSITE[first[dimension]],
                **text,
            }
            for seed, dimension in there
        ],
        schema=dict.fromkeys(
            ("sample_id", "seed_id", "language", "dimension_set", "dimension", "one_pole", "other_pole", *text),
            pl.String,
        ),
    )
    found = _function("preference_poles").declared.function(pairs.lazy(), poles.lazy())
    assert found.height == 2 * len(there)
    least = min(Counter({name: 0 for name in first} | Counter(name for _, name in there)).values())
    for wanted in TYPES:
        counts = Counter(found.filter(pl.col("types").list.contains(wanted))["chosen_pole"])
        assert counts == ({letter: least for letter in wanted} if least else {})


@pytest.mark.parametrize("times, fails", [(1.4, 0), (1.6, 20), (1 / 1.6, 20)])
def test_a_pole_whose_answers_are_the_longer_ones_fails_the_gate(times: float, fails: int) -> None:
    [check] = _function("preference_poles").declared.set_checks
    biased = pl.DataFrame({"language": "en", "chosen_pole": "E", "length_ratio": [times] * 20})
    fair = pl.DataFrame({"language": "en", "chosen_pole": "S", "length_ratio": [0.5, 2.0] * 20})
    assert check.function(pl.concat([biased, fair]).lazy()).collect().height == fails  # type: ignore[union-attr]


@pytest.mark.parametrize("asset", ["behaviour", "preference_poles"])
def test_what_a_partition_holds_is_drawn_by_pole_or_dimension(work: Work, asset: str) -> None:
    shows = _function(asset).declared.shows
    assert shows
    text = render(Section("", list(shows(rows(work, asset)))))
    assert ("energy" if asset == "behaviour" else "times as long") in text
    assert all(language in text for language in ("en", "zh", "ru"))
    assert render(Section("", list(shows(rows(work, asset).clear()))))  # nothing is there to be drawn


# Lineage


@pytest.mark.parametrize("asset", ["behaviour", "preference_poles"])
def test_a_row_verifies_down_to_its_seed_file_and_both_calls(work: Work, asset: str) -> None:
    found = audit(work.lake, work.settings, rows(work, asset)["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    kinds = Counter(node.kind for node in found.nodes())
    assert kinds["data_file"] >= 1
    names = Counter(one.name for one in found.verifications)
    assert names["row_parses_again"] == 2
    assert names["row_computes_again"] == (4 if asset == "preference_poles" else 3)


def test_a_rerun_asks_nobody_and_gives_the_same_rows(work: Work) -> None:
    before = {name: rows(work, name).drop("run_id", "created_at") for name in ORDER if name != "poles"}
    assert set(made(work, Told(work.settings), *ORDER).values()) == {0}
    for name, one in before.items():
        assert rows(work, name).drop("run_id", "created_at").equals(one), name


# Other dimensions


VOICE = [
    {"id": name, "set": "voice", "dimension": "tone", "opposite": opposite, "manner": {"en": manner}}
    for name, opposite, manner in (
        ("plain", "playful", "Short and dry words."),
        ("even", None, "Neither dry nor merry."),
        ("playful", "plain", "Puns and merry words."),
    )
]


class Voices(OfflineEngine):
    """Answers with the manner that it was asked for."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            asked = request.messages[1]["content"]
            [said] = [pole["manner"]["en"] for pole in VOICE if pole["manner"]["en"] in asked]
            answer = f"{said} With such words I tell you of the harbour, as you have asked me to do."
            yield [Completion(request.call_id, answer, "stop", 100, 20, 0.01)]


def voiced(folder: Path, *poles: dict[str, Any]) -> Work:
    work = place(folder, (SAME, SEEDS[-1]))
    (folder / "tasks" / "mindset").mkdir()
    told = yaml.safe_dump({"poles": list(poles)}, allow_unicode=True, sort_keys=False)
    (folder / "tasks" / "mindset" / "dimensions.yaml").write_text(told, encoding="utf-8")
    return work


def test_another_set_of_dimensions_is_a_file(tmp_path: Path) -> None:
    work = voiced(tmp_path, *VOICE)
    made(work, Voices(work.settings), *ORDER[:-2])
    assert rows(work, "pole_answers")["pole"].to_list() == ["plain", "even", "playful"]
    assert aside(work, "pole_answers")["reason"].to_list() == ["not_selected"]  # no manner in Russian
    [pair] = rows(work, "pole_pairs").to_dicts()
    assert (pair["dimension_set"], pair["one_pole"], pair["other_pole"]) == ("voice", "plain", "playful")
    assert aside(work, "pole_pairs")["reason"].to_list() == ["no_opposite"]


def test_a_brand_voice_of_the_docs_is_a_set(tmp_path: Path) -> None:
    page = (DOCS / "mindset.md").read_text(encoding="utf-8")
    [told] = re.findall(r"```yaml\n(poles:.*?)```", page, re.DOTALL)
    work = voiced(tmp_path, *yaml.safe_load(told)["poles"])
    made(work, OfflineEngine(work.settings), *ORDER)
    [pair] = rows(work, "behaviour").to_dicts()
    assert (pair["dimension_set"], pair["one_pole"], pair["other_pole"]) == ("voice", "plain", "playful")
    types = rows(work, "preference_poles").select("chosen_pole", "types").sort("chosen_pole").rows()
    assert types == [("plain", ["plain"]), ("playful", ["playful"])]


@pytest.mark.parametrize("opposite", ["merry", "even", "plain"])
def test_a_pole_whose_opposite_is_none_is_named_with_its_file(tmp_path: Path, opposite: str) -> None:
    work = voiced(tmp_path, VOICE[0] | {"opposite": opposite}, *VOICE[1:])
    with pytest.raises(UsageError, match=rf"mindset/dimensions\.yaml: pole plain: its opposite {opposite} is no pole"):
        datasets(work.settings)  # before anybody is asked


def test_a_pole_without_a_key_is_named_with_its_file(tmp_path: Path) -> None:
    lacking = {key: part for key, part in VOICE[1].items() if key != "dimension"}
    with pytest.raises(UsageError, match=r"mindset/dimensions\.yaml: pole even has no `dimension`"):
        datasets(voiced(tmp_path, VOICE[0], lacking, VOICE[2]).settings)


def test_poles_without_a_key_that_is_needed_are_told_before_anybody_is_asked(tmp_path: Path) -> None:
    poles = [{key: part for key, part in pole.items() if key != "dimension"} for pole in VOICE]
    with pytest.raises(UsageError, match=r"mindset/dimensions\.yaml: no pole has `dimension`; each needs id, set"):
        datasets(voiced(tmp_path, *poles).settings)


# Big Five


TRAITS: list[dict[str, Any]] = yaml.safe_load((FILES / "mindset" / "big_five.yaml").read_text(encoding="utf-8"))[
    "poles"
]
LEVELS = ("high", "middle", "low")


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Work:
    seeds = (SEEDS[3], SEEDS[5], *SEEDS[6:])
    work = place(tmp_path_factory.mktemp("five"), seeds, params={"pole_answers.sets": "mbti+big_five"})
    made(work, OfflineEngine(work.settings), *ORDER)
    return work


def test_the_big_five_are_five_traits_at_three_levels_each_with_six_facets_in_three_languages() -> None:
    assert Counter(pole["dimension"] for pole in TRAITS) == dict.fromkeys(
        ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"), 3
    )
    assert [pole["name"] for pole in TRAITS] == list(LEVELS) * 5
    assert [pole["opposite"] is None for pole in TRAITS] == [False, True, False] * 5
    facets = {one["id"]: one for pole in TRAITS for one in pole["facets"]}
    assert len(facets) == 30
    assert all(len(pole["facets"]) == 6 for pole in TRAITS)
    told = [text for one in (*TRAITS, *facets.values()) for text in one["manner"].values()]
    assert len(set(told)) == 3 * (15 + 30)
    assert pl.DataFrame({"text": told}).select(first_word(pl.col("text"))).to_series().drop_nulls().to_list() == []


def test_no_set_is_asked_about_beside_mbti_unless_it_is_named(work: Work, five: Work) -> None:
    assert set(rows(work, "pole_answers")["pole"]) == set("EISNTFJP")
    assert set(rows(work, "pole_answers")["facet"]) == {""}
    assert set(rows(five, "pole_answers")["pole"]) == {*"EISNTFJP", *(pole["id"] for pole in TRAITS)}


def test_an_answer_has_one_facet_of_its_trait_in_front_the_same_at_all_levels(five: Work) -> None:
    of = {pole["id"]: {one["id"] for one in pole["facets"]} for pole in TRAITS}
    answers = rows(five, "pole_answers").filter(pl.col("pole").is_in(list(of))).to_dicts()
    assert len(answers) == 4 * 15
    assert all(row["facet"] in of[row["pole"]] for row in answers)
    by_trait: dict[tuple[str, str], set[str]] = {}
    for row in answers:
        by_trait.setdefault((row["parent_ids"][0], row["pole"].partition("_")[0]), set()).add(row["facet"])
    assert {len(facets) for facets in by_trait.values()} == {1}
    assert len({facet for facets in by_trait.values() for facet in facets}) > 5  # drawn anew for each instruction


def test_high_and_low_are_paired_and_the_middle_is_answered_alone(five: Work) -> None:
    pairs = rows(five, "behaviour").filter(pl.col("dimension_set") == "big_five")
    assert pairs.height == 4 * 5
    assert all(row["one_pole"].endswith("_high") and row["other_pole"].endswith("_low") for row in pairs.to_dicts())
    alone = aside(five, "pole_pairs")
    poles = dict(rows(five, "pole_answers").select("sample_id", "pole").iter_rows())
    assert Counter(alone["reason"]) == {"no_opposite": 4 * 5}
    assert {poles[one].rpartition("_")[2] for one in alone["row_id"]} == {"middle"}


def test_a_plan_counts_the_poles_of_the_sets_that_are_asked_about(tmp_path: Path) -> None:
    work = place(tmp_path, SEEDS)
    assert new_calls(work.plan())["pole_answers"] == 8 * len(SEEDS)
    both = work.having(params={"pole_answers.sets": "mbti+big_five"})
    assert new_calls(both.plan())["pole_answers"] == 23 * len(SEEDS)


def test_files_of_a_trait_are_called_by_its_levels(five: Work, tmp_path: Path) -> None:
    graph = LakeState(five.lake, five.settings).assets
    counts = export_poles(five.lake, graph, "behaviour", tmp_path / "out")
    assert counts["en_openness_high"] == counts["en_openness_low"] == 2
    assert not [name for name in counts if name.endswith("_middle")]


def test_levels_make_no_types_and_leave_those_of_other_sets_alone(five: Work) -> None:
    found = rows(five, "preference_poles")
    assert set(found.filter(pl.col("dimension_set") == "big_five")["types"].list.len()) == {0}
    assert set(found.filter(pl.col("dimension_set") == "mbti")["types"].explode()) == set(TYPES)


# Export


def test_a_row_in_the_layout_of_machine_mindset_audits_back(work: Work, tmp_path: Path) -> None:
    graph = LakeState(work.lake, work.settings).assets
    counts = export_poles(work.lake, graph, "behaviour", tmp_path / "out")
    assert sum(counts.values()) == 2 * rows(work, "behaviour").height
    one, other = (
        json.loads((tmp_path / "out" / f"ru_{name}.json").read_text(encoding="utf-8"))
        for name in ("energy_extraversion", "energy_introversion")
    )
    assert one[0]["id"] == other[0]["id"]
    found = audit(work.lake, work.settings, one[0]["id"])
    assert {one.status for one in found.verifications} == {Status.OK}
