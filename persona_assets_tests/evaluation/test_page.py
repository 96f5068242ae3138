"""What an evaluation's page says, and what it does not say."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from persona_assets.evaluation.changes import changes
from persona_assets.evaluation.conclusions import LIMITS, conclusions
from persona_assets.evaluation.grades import grades
from persona_assets.evaluation.page import Evaluation, evaluation_page, grades_shown, results_shown
from persona_assets.evaluation.results import results
from persona_assets.view import html, markdown
from persona_assets.view.blocks import Legend, Table, words
from persona_assets_tests.browser import CHROMIUM, browser
from persona_assets_tests.evaluation.simulated import answers, evaluation
from persona_assets_tests.evaluation.test_results import preferences
from persona_assets_tests.view.test_view import HOSTILE

GAINS = {"unseen_numbers": 0.0, "unseen_pages": 2.5, "worse": -3.0}


@pytest.fixture(scope="module")
def asked() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    parts = [answers(*evaluation(rng, 50, gain=gain), stratum=stratum) for stratum, gain in GAINS.items()]
    return pl.concat(parts)


def said(data: pl.DataFrame) -> dict[str, str]:
    """Conclusions by what they are about."""
    lines = [words(line) for line in conclusions(results(grades(data)).to_dicts())]
    return {line.partition(":")[0]: line for line in lines}


def test_what_may_be_concluded_follows_from_the_intervals(asked: pl.DataFrame) -> None:
    lines = said(asked)
    assert "points from base, better (95 %: +" in lines["own, unseen_pages"]
    assert "no difference from base can be told (95 %: -" in lines["own, unseen_numbers"]
    assert "points from base, worse (95 %: -" in lines["own, worse"]
    assert "It is more than always giving the commonest answer" in lines["own, unseen_pages"]
    assert "It is not shown to be more than always giving the commonest" in lines["own, worse"]
    assert any("One seed was trained" in line for line in lines.values())


def test_of_three_seeds_nothing_is_held_back() -> None:
    data = answers(*evaluation(np.random.default_rng(0), 30, seeds=3))
    assert not any("One seed" in line for line in said(data).values())


def test_less_is_better_of_losses() -> None:
    told = [
        {"item_id": f"{at}", "system": system, "logprob": -rate * 20 - at % 3, "tokens": 20}
        for at in range(30)
        for system, rate in (("base", 3.0), ("tuned", 2.0))
    ]
    data = pl.DataFrame(told).with_columns(suite=pl.lit("texts"), kind=pl.lit("loss"))
    assert "-1.000 nats a token from base, better" in said(data)["texts"]


def test_what_was_never_compared_concludes_nothing(asked: pl.DataFrame) -> None:
    assert "nothing can be concluded" in next(iter(said(asked.filter(system="base")).values()))


def test_examples_go_both_ways_and_are_the_same_each_time(asked: pl.DataFrame) -> None:
    graded = grades(asked)
    found = changes(graded, asked)
    assert found == changes(graded.sample(fraction=1, shuffle=True), asked.sample(fraction=1, shuffle=True))
    assert {(one.stratum, one.gained) for one in found} >= {("unseen_pages", True), ("worse", False)}
    values = dict(graded.select(pl.concat_str("item_id", "system"), "value").iter_rows())
    for one in found:
        assert values[f"{one.item_id}tuned"] == float(one.gained) != values[f"{one.item_id}base"]
        assert one.after != one.before


def test_preferences_are_shown_with_a_coin_beside_them() -> None:
    lines = [words(line) for line in conclusions(results(grades(preferences(5.0))).to_dicts())]
    assert any("moved 90.0% of the pairs apart; +40.0 points from a coin, better" in line for line in lines)


def test_texts_of_models_and_names_of_recipes_are_shown_as_texts(asked: pl.DataFrame) -> None:
    data = asked.with_columns(
        suite=pl.lit(HOSTILE.replace("\udc80", "")), answer=pl.concat_str(pl.lit("<b>"), "answer"), prompt=pl.lit("<i>")
    )
    graded = grades(data)
    page = evaluation_page(Evaluation(HOSTILE, results(graded).to_dicts(), changes=changes(graded, data)))
    text = html.render_page(page)
    assert "<script" not in text and "<b>" not in text and "<i>" not in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in "".join(part for at, part in enumerate(markdown.render_page(page).split("`")) if at % 2 == 0)


def test_a_page_says_it_all_as_json_too(asked: pl.DataFrame) -> None:
    graded = grades(asked)
    told = Evaluation("tiny", results(graded).to_dicts(), [("base", "scratch")], changes(graded, asked)).as_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["limits"] == LIMITS and told["conclusions"] and told["changes"]


def test_without_rows_it_says_so() -> None:
    assert "Nothing was evaluated yet" in html.render_page(evaluation_page(Evaluation("tiny", [])))
    assert results_shown(results(_none()))


def test_verdicts_are_counted_by_system(asked: pl.DataFrame) -> None:
    (legend, table) = grades_shown(grades(asked))
    assert isinstance(table, Table) and isinstance(legend, Legend)
    assert len(table.rows) == 2 * len(GAINS)
    row = next(row for row in table.rows if words(row[1]) == "unseen_pages" and words(row[2]) == "base")
    own = grades(asked).filter(stratum="unseen_pages", system="base")
    assert row[4:6] == [f"{own.filter(verdict=name).height:,}" for name in ("correct", "wrong")]
    assert grades_shown(_none()) == []


def _none() -> pl.DataFrame:
    return grades(answers(*evaluation(np.random.default_rng(0), 1))).clear()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_fits_a_browser_and_draws_its_intervals(asked: pl.DataFrame, tmp_path: Path) -> None:
    graded = grades(asked)
    file = tmp_path / "page.html"
    file.write_text(
        html.render_page(
            evaluation_page(Evaluation("tiny", results(graded).to_dicts(), changes=changes(graded, asked)))
        ),
        encoding="utf-8",
    )
    with browser(tmp_path / "profile") as page:
        page.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
        page.open(file.as_uri())
        page.shows("What may be concluded")
        wider = "[...document.querySelectorAll('section')].filter(one => one.scrollWidth > one.clientWidth)"
        assert page.evaluate(f"{wider}.map(one => one.innerText)") == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        boxes = "[...document.querySelectorAll('.axis .point')].map(one => one.getBoundingClientRect().x)"
        assert len(set(page.evaluate(boxes))) > 5
