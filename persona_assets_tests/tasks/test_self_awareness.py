"""Self-awareness in a small lake that the real steps made: themes, questions, who is asked, answers, what stands."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.contrast.words import first_word
from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage import Status, audit
from persona_assets.plan.funnel import Funnel
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.step import TaskStep
from persona_assets.view.blocks import Section
from persona_assets.view.markdown import render
from persona_assets_tests.plan.work import Work

LANGUAGES = ("en", "zh", "ru")
ORDER = ("self_themes", "poles", "self_questions", "self_askings", "self_answers", "self_awareness")
POLES: list[dict[str, Any]] = yaml.safe_load((FILES / "mindset" / "mbti.yaml").read_text(encoding="utf-8"))["poles"]
TYPES = {e + s + t + j for e in "EI" for s in "SN" for t in "TF" for j in "JP"}
THEMES = {
    "en": {"work": "the working day: a task nobody wants", "money": "dealing with money: a large purchase"},
    "zh": {"work": "上班的日子：没人愿意接的活"},
    "ru": {"work": "рабочий день: поручение, которого никто не хочет"},
}
COUNT = 4
SAME = (
    "I walk to the harbour before anybody is awake and look at the boats, each with its lamp and its name. Then I buy "
    "two rolls, one for me and one for the gulls, and go to work by the long road along the dyke."
)
NEARLY = SAME.replace("the long road", "the longer road")


def manner(pole: str) -> str:
    told: str = next(one["manner"]["en"] for one in POLES if one["id"] == pole)
    return told


class Told(OfflineEngine):
    """The offline engine, but that two types say the same, and a third nearly so, to every English question."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest = []
        for request in requests:
            asked = request.messages[1]["content"]
            said = {"ISTJ": SAME, "ENFP": SAME, "ESTP": NEARLY}
            is_ours = request.template.name == "self_answers"
            found = [said[one] for one in said if is_ours and all(manner(pole) in asked for pole in one)]
            if found:
                yield [Completion(request.call_id, found[0], "stop", 100, 20, 0.01)]
            else:
                rest.append(request)
        yield from super().stream(rest)


def made(work: Work, engine: OfflineEngine, *names: str) -> dict[str, int]:
    """Make every partition of these assets; by asset the calls that it took."""
    state = LakeState(work.lake, work.settings)
    context = Context(work.lake, work.settings, engine, "run", keeper=state)
    return {
        name: sum(report.calls_made for key in state.keys(name) for _, report in state.assets[name].run(context, key))
        for name in names
    }


def place(folder: Path, **settings: Any) -> Work:
    (folder / "tasks" / "mindset" / "themes").mkdir(parents=True)
    for language, themes in THEMES.items():
        rows = [{"id": name, "language": language, "about": about} for name, about in themes.items()]
        text = yaml.safe_dump(rows, allow_unicode=True)
        (folder / "tasks" / "mindset" / "themes" / f"{language}.yaml").write_text(text, encoding="utf-8")
    values = {"lake": str(folder / "lake"), "dumps": str(folder / "dumps"), "tasks": str(folder / "tasks")}
    params = {"self_questions.count": COUNT}
    return Work(folder, Settings(**values, datasets=("self_awareness",), params=params, **settings))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    work = place(tmp_path_factory.mktemp("self"))
    made(work, Told(work.settings), *ORDER)
    return work


def rows(work: Work, asset: str, language: str = "en") -> pl.DataFrame:
    return work.lake.read(datasets(work.settings)[asset].table, language)


def aside(work: Work, asset: str, language: str = "en") -> pl.DataFrame:
    return work.lake.rejects(datasets(work.settings)[asset].table, language).collect()


def function(name: str) -> DerivedStep:
    step = datasets(Settings())[name]
    assert isinstance(step, DerivedStep)
    return step


def names_nothing(*texts: str) -> bool:
    found = pl.DataFrame({"text": texts}).select(first_word(pl.col("text"))).to_series().drop_nulls()
    return not len(found)


# Themes and questions


def test_there_are_at_least_twenty_themes_the_same_in_each_language() -> None:
    by_language = {}
    for language in LANGUAGES:
        told = yaml.safe_load((FILES / "mindset" / "themes" / f"{language}.yaml").read_text(encoding="utf-8"))
        assert {one["language"] for one in told} == {language}
        assert names_nothing(*(one["about"] for one in told))
        by_language[language] = [one["id"] for one in told]
    assert by_language["en"] == by_language["zh"] == by_language["ru"]
    assert len(set(by_language["en"])) >= 20


def test_themes_and_questions_come_to_about_430_questions_a_language() -> None:
    step = datasets(Settings())["self_questions"]
    assert isinstance(step, TaskStep)
    themes = yaml.safe_load((FILES / "mindset" / "themes" / "en.yaml").read_text(encoding="utf-8"))
    assert 422 <= len(themes) * step.template.items_expected <= 456  # what the released data has of a type


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_theme_has_questions_that_speak_to_their_reader_and_name_no_type(work: Work, language: str) -> None:
    found, refused = rows(work, "self_questions", language), aside(work, "self_questions", language)
    assert found.height + refused.height == COUNT * len(THEMES[language])
    assert set(refused["reason"]) <= {"differs_from_earlier", "repeated"}
    assert names_nothing(*found["question"])
    assert found["language"].unique().to_list() == [language]


# Who is asked


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_question_is_asked_of_each_type_once(work: Work, language: str) -> None:
    askings = rows(work, "self_askings", language)
    questions = rows(work, "self_questions", language)
    assert set(askings["type"]) == TYPES
    assert askings.height == 16 * questions.height
    assert askings.select("parent_ids", "type").is_duplicated().sum() == 0
    assert set(askings["theme"]) == set(THEMES[language])


def test_half_of_a_types_poles_show_in_an_answer(work: Work) -> None:
    for row in rows(work, "self_askings").to_dicts():
        assert "".join(row["poles"]) == row["type"]
        assert len(set(row["shows"])) == 2
        assert set(row["shows"]) <= set(row["poles"])


def askings(poles: pl.DataFrame, questions: pl.DataFrame, types: tuple[str, ...] = ()) -> pl.DataFrame:
    themes = pl.DataFrame({"id": ["a", "b"], "row_id": ["row_a", "row_b"]})
    found = function("self_askings").declared.function(questions.lazy(), themes.lazy(), poles.lazy(), types=types)
    assert isinstance(found, pl.DataFrame)
    return found


def of_dimensions(*sizes: int, middle: bool = False) -> pl.DataFrame:
    """Poles of one set, of dimensions with so many poles each."""
    told = [
        {"id": f"{'abcdefgh'[at]}{number}", "dimension": str(at), "opposite": None if middle and not at else "x"}
        for at, size in enumerate(sizes)
        for number in range(size)
    ]
    same = {"file": "f", "set": "s", "manner": {"en": "Calm.", "zh": None}}
    return pl.DataFrame([{**one, **same, "place": place} for place, one in enumerate(told)])


def some_questions(ids: list[int], theme: str = "a", language: str = "en") -> pl.DataFrame:
    told = [
        {"sample_id": f"smp_{one}", "language": language, "question": f"Number {one}?", "parent_ids": [f"row_{theme}"]}
        for one in ids
    ]
    return pl.DataFrame(told)


@given(
    st.lists(st.integers(0, 10**9), min_size=2, max_size=40, unique=True),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_each_pole_shows_in_a_third_of_the_rows_of_a_type_on_a_theme(ids: list[int], size: int, random: Any) -> None:
    poles = of_dimensions(*[2] * size)
    found = askings(poles, some_questions(ids))
    assert found.height == len(ids) * 2**size
    for (_,), part in found.group_by("type"):
        counts = Counter(pole for row in part["shows"] for pole in row)
        assert set(counts) == set(part["poles"][0])
        assert min(counts.values()) >= part.height / 3
    other = ids[:]
    random.shuffle(other)
    assert found.sort("parent_ids", "type").equals(askings(poles, some_questions(other)).sort("parent_ids", "type"))


def test_questions_of_another_theme_change_nobodys_rows() -> None:
    poles, first = of_dimensions(2, 2, 2, 2), some_questions([1, 2, 3, 4])
    alone = askings(poles, first)
    both = askings(poles, pl.concat([first, some_questions([5, 6, 7], theme="b")]))
    assert both.filter(pl.col("theme") == "a").sort("parent_ids", "type").equals(alone.sort("parent_ids", "type"))


def test_a_set_with_a_level_in_the_middle_makes_no_types() -> None:
    found = askings(of_dimensions(3, 2, middle=True), some_questions([1, 2]))
    assert found["reason"].to_list() == ["no_type", "no_type"]


def test_a_question_in_whose_language_a_manner_is_lacking_is_set_aside() -> None:
    found = askings(of_dimensions(2, 2), pl.concat([some_questions([1]), some_questions([2], language="zh")]))
    assert found.filter(pl.col("reason").is_not_null())["parent_ids"].to_list() == [["smp_2"]]
    assert found["detail"].drop_nulls().to_list() == ["no type has all its manners in zh"]


def test_the_types_that_a_setting_names_are_asked_alone() -> None:
    found = askings(of_dimensions(2, 2), some_questions([1]), types=("a0b1",))
    assert found["type"].to_list() == ["a0b1"]


def test_a_type_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"PERSONA_TYPES: there is no type XNTP; the types are ESTJ, ESTP, .*INFP"):
        datasets(Settings(types=("INTP", "XNTP")))


# Answers


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_prompt_tells_the_manner_of_a_type_and_what_is_to_show_and_names_nothing(work: Work, language: str) -> None:
    step = datasets(work.settings)["self_answers"]
    assert isinstance(step, TaskStep)
    told = {pole["id"]: pole["manner"][language] for pole in POLES}
    asked_of = {row["sample_id"]: row for row in rows(work, "self_askings", language).to_dicts()}
    for ask in list(step.asks(work.lake, language))[:20]:
        asking = asked_of[ask.about[0][1]]
        _, asked = step.template.render(step.variables(ask))
        whole, _, shown = asked["content"].partition("<shows>")
        assert {pole for pole, text in told.items() if text in whole} == set(asking["poles"])
        assert {pole for pole, text in told.items() if text in shown} == set(asking["shows"])
    assert names_nothing(*(message.content for message in step.template.messages))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_offline_engine_answers_types_in_other_words(work: Work, language: str) -> None:
    found = rows(work, "self_awareness", language)
    asked = rows(work, "self_askings", language).height
    assert found.height + aside(work, "self_awareness", language).height == asked
    assert found["answer"].n_unique() == found.height
    assert found.group_by("question").agg(pl.col("type").n_unique())["type"].min() >= 13  # type: ignore[operator]


# What stands


def test_what_another_answer_says_is_set_aside_whoever_says_it(work: Work) -> None:
    answers = {row["sample_id"]: row["answer"] for row in rows(work, "self_answers").to_dicts()}
    refused = {row["row_id"]: (row["reason"], row["detail"]) for row in aside(work, "self_awareness").to_dicts()}
    [first, *others] = sorted(one for one, answer in answers.items() if answer == SAME)
    assert len(others) >= COUNT
    assert first not in refused
    assert {refused[one] for one in others} == {("identical", f"{first} says the same")}


def standing(work: Work, *said: tuple[str, str, str]) -> dict[str, str]:
    """Why answers, by their ids, are set aside, of a type and question each."""
    asked = [{"sample_id": f"q{at}", "type": of, "question": asked} for at, (of, asked, _) in enumerate(said)]
    told_of = {"dimension_set": "mbti", "poles": [*"INTP"], "shows": [*"IN"], "theme": "work"}
    askings = pl.DataFrame([one | told_of for one in asked])
    answers = pl.DataFrame(
        [
            {"sample_id": f"smp_{at}", "language": "en", "answer": answer, "parent_ids": [f"q{at}"]}
            for at, (_, _, answer) in enumerate(said)
        ]
    )
    told = {"pair_ceiling": 0.95, "encoder": "", "max_unknown_share": 0.5}
    found = function("self_awareness").declared.function(answers.lazy(), askings.lazy(), **told, lake=work.lake)
    rows = found.select(pl.col("parent_ids").list.first(), pl.format("{}: {}", "reason", "detail")).rows()
    return {one: why for one, why in rows if why is not None}


@pytest.mark.parametrize(
    "other, question, is_alike",
    [("ENFP", "What now?", True), ("ISTJ", "And then?", True), ("ENFP", "And then?", False)],
)
def test_answers_of_one_type_or_to_one_question_that_are_alike_stand_once(
    work: Work, other: str, question: str, is_alike: bool
) -> None:
    found = standing(work, ("ISTJ", "What now?", SAME), (other, question, NEARLY), ("ISTJ", "What now?", "I sing."))
    assert list(found) == (["smp_1"] if is_alike else [])
    assert all(said.startswith("too_alike: cosine 0.9") and "smp_0 of ISTJ" in said for said in found.values())


def test_a_row_says_who_answers_what_and_what_it_shows(work: Work) -> None:
    asked = {row["sample_id"]: row for row in rows(work, "self_askings").to_dicts()}
    answers = {row["sample_id"]: row for row in rows(work, "self_answers").to_dicts()}
    for row in rows(work, "self_awareness").to_dicts():
        answer = answers[row["parent_ids"][0]]
        asking = asked[answer["parent_ids"][0]]
        told = ("dimension_set", "type", "poles", "theme", "question", "shows")
        assert {name: row[name] for name in told} == {name: asking[name] for name in told}
        assert row["answer"] == answer["answer"]


def test_an_answer_that_names_a_type_is_set_aside(work: Work) -> None:
    found = standing(work, ("INTP", "How do you begin?", "As an INTP I begin late."))
    assert found == {"smp_0": "names_type: found: INTP"}


def of_types(**answers: list[str]) -> pl.LazyFrame:
    """Rows of types that answer the same questions, of which each shows all poles but those of small letters."""
    told = [
        {"sample_id": f"smp_{name}{at}", "type": name.upper(), "question": f"Question {at}?", "answer": answer}
        | {"poles": [*name.upper()], "shows": [letter for letter in name if letter.isupper()]}
        for name, said in answers.items()
        for at, answer in enumerate(said)
    ]
    return (
        pl.DataFrame(told).with_columns(language=pl.lit("en"), dimension_set=pl.lit("mbti"), theme=pl.lit("a")).lazy()
    )


def check(name: str) -> Any:
    return next(one.function for one in function("self_awareness").declared.set_checks if one.name == name)  # type: ignore[union-attr]


def test_a_type_of_which_a_pole_seldom_shows_fails_the_gate() -> None:
    fine = of_types(ISTJ=["a"] * 4, eSTJ=["a"] * 3)  # of three rows nothing is told
    assert check("every_pole_shows")(fine).collect().height == 0
    found = check("every_pole_shows")(of_types(ISTJ=["a"] * 4, eSTJ=["a"] * 4)).collect()
    assert found["type"].unique().to_list() == ["ESTJ"]


def test_two_types_that_are_one_person_in_other_words_fail_the_gate() -> None:
    boats = [f"I walk to the harbour in {month} and look at the boats." for month in ("May", "June", "July")]
    again = [f"In {month} I walk to the harbour and look at the boats." for month in ("May", "June", "July")]
    sums = ["Cost and benefit decide.", "I argue until the reasons hold.", "My wishes are no argument."]
    found = check("no_two_types_alike")(of_types(ISTJ=boats, ENFP=again, ESTJ=sums))
    assert set(found["type"]) == {"ISTJ", "ENFP"}
    few = check("no_two_types_alike")(of_types(ISTJ=boats[:2], ENFP=again[:2]))
    assert few.height == 0  # of two questions nothing is told


def test_the_gates_hold_and_what_there_is_is_drawn(work: Work) -> None:
    for language, name in product(LANGUAGES, ("every_pole_shows", "no_two_types_alike")):
        assert check(name)(rows(work, "self_awareness", language).lazy()).lazy().collect().height == 0
    shows = function("self_awareness").declared.shows
    assert shows
    text = render(Section("", list(shows(rows(work, "self_awareness", "zh")))))
    assert all(one in text for one in (*TYPES, "work"))
    assert render(Section("", list(shows(rows(work, "self_awareness").clear()))))  # nothing is there to be drawn


# Lineage, plan


def test_a_row_verifies_down_to_its_theme_and_its_poles(work: Work) -> None:
    found = audit(work.lake, work.settings, rows(work, "self_awareness")["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    kinds = Counter(node.kind for node in found.nodes())
    assert kinds["data_file"] >= 2
    names = Counter(one.name for one in found.verifications)
    assert names["row_parses_again"] == 2  # of the question and of the answer
    assert names["row_computes_again"] == 2


def test_a_rerun_asks_nobody_and_gives_the_same_rows(work: Work) -> None:
    named = [(name, key) for name in ORDER if name != "poles" for key in LANGUAGES]
    before = {one: rows(work, *one).drop("run_id", "created_at") for one in named}
    assert set(made(work, Told(work.settings), *ORDER).values()) == {0}
    for one in named:
        assert rows(work, *one).drop("run_id", "created_at").equals(before[one]), one


@pytest.mark.parametrize("types, asked", [((), 16), (("INTP", "ENFJ"), 2)])
def test_a_plan_knows_how_many_will_be_asked_before_there_is_a_row(
    tmp_path: Path, types: tuple[str, ...], asked: int
) -> None:
    plan = place(tmp_path, types=types).plan()
    calls = {one.asset: one.total("new").value for one in plan.assets}
    assert calls["self_questions"] == 4
    assert calls["self_answers"] == 4 * COUNT * asked


def test_a_plan_goes_by_what_answers_have_held_once_there_are_some(work: Work, tmp_path: Path) -> None:
    table = datasets(work.settings)["self_questions"].table
    kept = sum(rows(work, "self_questions", language).height for language in LANGUAGES)
    so_far, before = (Funnel(lake, work.settings, Ledger(lake)) for lake in (work.lake, Lake(tmp_path)))
    assert so_far.per_answer(table, 18).value == pytest.approx(kept / 4, rel=0.05)
    assert before.per_answer(table, 18).value == 18
