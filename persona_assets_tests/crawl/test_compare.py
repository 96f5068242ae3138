"""Published filters, by their papers' thresholds, and our verdicts beside theirs."""

from pathlib import Path

import orjson
import pytest

from persona_assets.crawl.compare import BOTH, NEITHER, OURS, THEIRS, blocks, compare_files
from persona_assets.crawl.quality.published import Filter, c4, fineweb, gopher
from persona_assets.errors import UsageError
from persona_assets.settings import Settings
from persona_assets.view.markdown import render
from persona_assets_tests.crawl.conftest import EN, RU

PROSE = EN.format(3) + " It is a quiet place to be, and they have it with them."


@pytest.mark.parametrize("judged", [gopher, c4, fineweb], ids=["gopher", "c4", "fineweb"])
def test_plain_prose_passes(judged: Filter) -> None:
    assert judged(PROSE) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the mill of old and", "5 words, not 50 to 100,000"),
        (RU, "fewer than two of its English words" if len(RU.split()) >= 50 else "words, not 50 to 100,000"),
        ("# tagged and the wording " * 20, "more than one # for ten words"),
        ("\n".join(["the mill and the bridge"] * 20), "over 30% of the lines repeat others"),
        (PROSE + " and the very best of all honey to have" * 9, "over 16% of the text are the 4 words"),
    ],
    ids=["short", "russian", "signs", "lines", "four words"],
)
def test_gopher_refuses(text: str, said: str) -> None:
    assert said in str(gopher(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Lorem ipsum dolor. " + EN, "lorem ipsum"),
        (EN + " {", "curly bracket"),
        ("One line that ends in a full stop.\nHome\nAbout", "1 sentences"),
    ],
    ids=["filler", "bracket", "sentences"],
)
def test_c4_refuses(text: str, said: str) -> None:
    assert said in str(c4(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a long enough line without any mark at its very end\n" * 9, "12% of the lines"),
        (f"{EN}\nAnd a last line that stands here twice.\n" * 2, "10% of the text"),
        ("Short.\nLines.\nOnly.", "shorter than 30"),
    ],
    ids=["ends", "repeated", "short"],
)
def test_fineweb_refuses(text: str, said: str) -> None:
    assert said in str(fineweb(text))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    listed = "Pear crumble\nPeel the pears and cut them up\nRub the butter into the flour\nStir in the sugar\n"
    spam = "Play at the best online casino and claim your welcome bonus. Get free spins for real money. " * 3
    prose = EN.format(1) + " It is there to be seen."
    texts = [prose, listed * 2 + "Bake it until the top of it is brown\n" + listed[:99], spam]
    path.write_bytes(b"\n".join(orjson.dumps({"text": text}) for text in texts))
    return path


def test_every_text_is_counted_once_by_what_keeps_it(file: Path) -> None:
    (one,) = compare_files([file], ["c4"], Settings())
    assert one.counts == {BOTH: 1, OURS: 1, THEIRS: 1}
    assert one.counts[NEITHER] == 0
    assert one.examples[OURS][0]["refused"] == "0 sentences in the lines that it keeps, 3 are asked for"
    assert one.examples[THEIRS][0]["begins"].startswith("Play at the best")


def test_the_table_has_a_row_for_each_filter(file: Path) -> None:
    said = render(*blocks(compare_files([file], ["gopher", "fineweb"], Settings())))
    assert "gopher" in said
    assert "fineweb" in said


def test_a_filter_that_there_is_not_is_an_error(file: Path) -> None:
    with pytest.raises(UsageError, match="there is no filter gofer; did you mean gopher"):
        compare_files([file], ["gofer"], Settings())
