import json
from itertools import pairwise, permutations
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.crawl import near_pages
from persona_assets.crawl.arrival import plan_shards
from persona_assets.crawl.digests import Sieve
from persona_assets.crawl.documents import read_documents
from persona_assets.crawl.ingest import ingest_shard
from persona_assets.crawl.items import CrawlFile
from persona_assets.crawl.near_pages import NearPages, keys_and_sketches
from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS, RAW_DOCUMENTS
from persona_assets.lake.skipped import skip_shard
from persona_assets.settings import Settings
from persona_assets.text.tokens import word_tokens
from persona_assets_tests.crawl.conftest import EN, RU, ZH, english
from persona_assets_tests.rows import context

Verdict = tuple[str, float] | None


def _pages(texts: list[str], threshold: float = 0.8) -> pl.DataFrame:
    ids = [make_id("doc", number) for number in range(len(texts))]
    return pl.DataFrame({"document_id": ids}).hstack(keys_and_sketches(pl.Series(texts, dtype=pl.String), threshold))


def _decided(pages: pl.DataFrame, threshold: float = 0.8, cuts: tuple[int, ...] = ()) -> list[tuple[int, float] | None]:
    """By page the number of the page that stands for it, and their similarity; decided in parts that begin at cuts."""
    number = {document: place for place, document in enumerate(pages["document_id"])}
    near = NearPages(threshold)
    bounds = sorted({0, *cuts, pages.height})
    frames = [near.decide(pages[start:end]) for start, end in pairwise(bounds)]
    near.close()
    rows = [row for frame in frames for row in frame.iter_rows()]
    return [None if survivor is None else (number[survivor], similarity) for survivor, similarity in rows]


def _shingles(text: str) -> set[tuple[str, ...]]:
    tokens = word_tokens(text)
    return {tuple(tokens[at : at + 5]) for at in range(max(len(tokens) - 4, 1))}


def _jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


@st.composite
def _related(draw: st.DrawFn) -> list[str]:
    """Pages of which many are others with some words changed."""
    rng = Random(draw(st.integers(0, 1 << 32)))
    pages = [[f"w{rng.randrange(400)}" for _ in range(rng.randrange(6, 120))]]
    for _ in range(draw(st.integers(1, 25))):
        page = list(rng.choice(pages))
        if rng.random() < 0.2:
            page = [f"w{rng.randrange(400)}" for _ in range(rng.randrange(6, 120))]
        for _ in range(rng.choice([0, 1, 1, 2, 4])):
            page[rng.randrange(len(page))] = f"w{rng.randrange(400)}"
        pages.append(page)
    return [" ".join(page) for page in pages]


@given(_related(), st.sampled_from([0.5, 0.8, 0.9, 1.0]), st.sets(st.integers(0, 25), max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_rule_is_greedy_in_order_wherever_parts_begin(texts: list[str], threshold: float, cuts: set[int]) -> None:
    pages = _pages(texts, threshold)
    shingles, keys = [_shingles(text) for text in texts], [set(keys) for keys in pages["keys"]]
    standing: list[int] = []
    expected: list[tuple[int, float] | None] = []
    for page in range(len(texts)):
        looked_at = [one for one in standing if keys[one] & keys[page]]
        similar = [(one, _jaccard(shingles[one], shingles[page])) for one in looked_at]
        near = [(one, pytest.approx(value, abs=1e-4)) for one, value in similar if value >= threshold - 1e-9]
        expected.append(near[0] if near else None)
        standing += [] if near else [page]
    assert _decided(pages, threshold, tuple(cuts)) == expected


@pytest.mark.parametrize(("threshold", "least"), [(0.5, 0.96), (0.8, 0.97), (0.9, 0.97)])
def test_pairs_that_are_just_near_share_a_key(threshold: float, least: float) -> None:
    own = int(98 * (1 / threshold - 1))  # words on each side, after 200 in common: then the pair is just near
    texts = []
    for number in range(800):
        common = [f"c{number}w{n}" for n in range(200)]
        texts += [" ".join([*common, *(f"{side}{number}w{n}" for n in range(own))]) for side in "ab"]
    assert threshold <= _jaccard(*map(_shingles, texts[:2])) < threshold + 0.01
    pages = _pages(texts, threshold)["keys"]
    shared = [bool({*pages[at]} & {*pages[at + 1]}) for at in range(0, len(texts), 2)]
    assert sum(shared) / len(shared) >= least


def test_of_a_key_that_a_template_has_the_first_pages_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_pages, "PAGES_OF_KEY", 3)
    rng = Random(3)
    menu = [f"menu{n}" for n in range(150)]
    own = [[f"p{page}w{n}" for n in range(60)] for page in range(40)]
    texts = [" ".join(menu + words) for words in own]
    again = [" ".join(menu + words[:-1] + ["other"]) for words in rng.sample(own, 40)]
    found = _decided(_pages(texts + again), cuts=(20, 40, 60))
    assert found[:40] == [None] * 40
    assert all(found[40:])


def test_a_mass_of_near_copies_is_one_page() -> None:
    words = [f"w{n}" for n in range(300)]
    texts = [" ".join([*words, f"visitor{n}"]) for n in range(3000)]
    found = _decided(_pages(texts), cuts=(1000, 1001))
    assert found[0] is None
    assert {one[0] for one in found[1:] if one} == {0}


# Real text


ARTICLE = {
    "en": EN.format("six") + " The carpenter who lives next to the mill has offered to mend the wheel, if the "
    "village pays for the oak. A meeting about it was held in the school on Friday, and most of the farmers raised "
    "their hands.",
    "zh": ZH.format("六") + "住在磨坊隔壁的木匠愿意修好水轮，只要村里肯出买橡木的钱。星期五大家在学校里开会商量这件事，"
    "大多数农民都举手赞成。木匠说，水轮修好以后，磨坊又可以磨面粉，孩子们也能看到从前的人是怎样生活的。",
    "ru": RU.format("шесть") + " Плотник, который живёт рядом с мельницей, согласен починить колесо, если деревня "
    "заплатит за дуб. В пятницу об этом говорили на собрании в школе, и большинство крестьян подняли руки за это.",
}
MENUS = {
    "en": ("Home. News. Contact the editor.", "Start page. Sign in. Subscribe to our letter."),
    "zh": ("首页，新闻，联系我们。", "登录，注册，订阅本站。"),
    "ru": ("Главная. Новости. Обратная связь.", "Вход. Регистрация. Подписка."),
}
CARD = {
    "en": "{0} was born in {1} and works as a {2}. On weekends {0} teaches children from {1} how a {2} lives, and "
    "{0} writes a column about it for the paper of {1}. Those who want to talk with {0} can call the town hall of {1}.",
    "zh": "{0}出生在{1}，职业是{2}。周末{0}教{1}的孩子们了解{2}的生活，{0}还为{1}的报纸写专栏。"
    "想和{0}交谈的人可以打电话给{1}的镇公所。",
    "ru": "{0} родом из города {1}, профессия: {2}. По выходным {0} рассказывает детям города {1}, как живёт {2}, и "
    "{0} ведёт об этом колонку в газете города {1}. Поговорить с {0} можно через управу города {1}.",
}
PEOPLE = {
    "en": (("Anna Reed", "Leeds", "baker"), ("Tom Hale", "York", "smith"), ("Ida Cole", "Bath", "nurse")),
    "zh": (("李小红", "苏州", "面包师"), ("王大明", "杭州", "铁匠"), ("张丽华", "扬州", "护士")),
    "ru": (("Анна", "Тверь", "пекарь"), ("Пётр", "Псков", "кузнец"), ("Ольга", "Тула", "медсестра")),
}


@pytest.mark.parametrize("code", ["en", "zh", "ru"])
def test_one_article_under_other_menus_is_one_page(code: str) -> None:
    [first, second] = (f"{menu}\n{ARTICLE[code]}" for menu in MENUS[code])
    [stands, goes] = _decided(_pages([first, second]))
    assert stands is None and goes is not None and goes[0] == 0


@pytest.mark.parametrize("code", ["en", "zh", "ru"])
def test_pages_of_a_template_that_differ_in_names_are_several(code: str) -> None:
    assert _decided(_pages([CARD[code].format(*person) for person in PEOPLE[code]])) == [None] * 3


@pytest.mark.parametrize("code", ["en", "zh", "ru"])
def test_pages_that_share_boilerplate_and_have_articles_of_their_own_are_several(code: str) -> None:
    boilerplate = ARTICLE[code]
    cards = [CARD[code].format(*person) for person in PEOPLE[code]]
    assert _decided(_pages([f"{boilerplate} {card}" for card in cards])) == [None] * 3


# Shards


def _near(number: int, changed: int) -> str:
    """A page that is near others of its number: their last word differs."""
    return f"{english(number)} Number {changed} closes it."


FILES = {
    "a.jsonl": [_near(1, 1), _near(1, 2), _near(2, 1)],
    "b.jsonl": [_near(1, 2), _near(2, 2), _near(2, 2), _near(3, 1), _near(4, 1)],
    "c.jsonl": [_near(4, 2), _near(2, 2), _near(3, 2), _near(5, 1), _near(3, 1)],
}
SHARDS = ["d.0000", "d.0001", "d.0002"]


def _lake(folder: Path, name: str = "lake", **values: object) -> tuple[Lake, Settings]:
    dumps = folder / "dumps" / "d"
    if not dumps.exists():
        dumps.mkdir(parents=True)
        for file, texts in FILES.items():
            rows = ({"text": text, "url": f"http://{file}/{place}"} for place, text in enumerate(texts))
            (dumps / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = {"lake": str(folder / name), "dumps": str(dumps.parent), "files_per_shard": 1, "settle_s": 0} | values
    lake_settings = Settings(**chosen)  # type: ignore[arg-type]
    lake = Lake(lake_settings.lake)
    plan_shards(lake, lake_settings, now=4e9)
    return lake, lake_settings


def _ingest(lake: Lake, lake_settings: Settings, shard: str) -> dict[str, object]:
    return ingest_shard(context(lake, lake_settings, "run"), shard).extra


def _tables(lake: Lake) -> list[pl.DataFrame]:
    volatile = ["run_id", "created_at"]
    return [
        lake.scan(RAW_DOCUMENTS).drop(volatile).collect(),
        lake.rejects(RAW_DOCUMENTS).drop(volatile).collect(),
        lake.scan(CONTENT_DIGESTS).collect(),
    ]


def _urls(lake: Lake) -> list[str]:
    return [url.removeprefix("http://") for url in lake.scan(RAW_DOCUMENTS).collect()["url"].to_list()]


def test_shards_in_any_order_give_the_same_tables(tmp_path: Path) -> None:
    outcomes = []
    for number, order in enumerate(permutations(SHARDS)):
        lake, own = _lake(tmp_path, f"lake{number}")
        for shard in order:
            _ingest(lake, own, shard)
        outcomes.append(_tables(lake))
        assert _urls(lake) == ["a.jsonl/0", "a.jsonl/2", "b.jsonl/3", "b.jsonl/4", "c.jsonl/3"]
    assert all(one.equals(two) for other in outcomes[1:] for one, two in zip(outcomes[0], other, strict=True))


def test_each_page_that_goes_names_one_that_stands(tmp_path: Path) -> None:
    lake, own = _lake(tmp_path)
    for shard in reversed(SHARDS):
        _ingest(lake, own, shard)
    url_of = {row["document_id"]: row["url"] for row in lake.scan(RAW_DOCUMENTS).collect().to_dicts()}
    rejects = lake.rejects(RAW_DOCUMENTS).collect()
    found = [
        (row["file"][0], row["reason"], url_of[row["detail"].split()[0]].removeprefix("http://"))
        for row in rejects.sort("file", "record_offset").to_dicts()
    ]
    near = "near_duplicate"
    assert found == [
        ("a", near, "a.jsonl/0"),
        ("b", near, "a.jsonl/0"),  # its copy in a.jsonl does not stand
        ("b", near, "a.jsonl/2"),
        ("b", near, "a.jsonl/2"),  # a copy, within its file, of a page that does not stand
        ("c", near, "b.jsonl/4"),
        ("c", near, "a.jsonl/2"),
        ("c", near, "b.jsonl/3"),
        ("c", "duplicate_content", "b.jsonl/3"),
    ]
    similarities = [float(detail.split()[1]) for detail in rejects.filter(reason=near)["detail"]]
    assert all(0.8 <= similarity < 1 for similarity in similarities)
    assert rejects["row_id"].n_unique() == rejects.height


def test_a_threshold_of_zero_compares_texts_alone(tmp_path: Path) -> None:
    lake, own = _lake(tmp_path, near_pages=0.0)
    for shard in SHARDS:
        _ingest(lake, own, shard)
    assert lake.rejects(RAW_DOCUMENTS).collect()["reason"].unique().to_list() == ["duplicate_content"]
    assert lake.scan(CONTENT_DIGESTS).collect()["keys"].list.len().to_list() == [0] * 12
    assert len(_urls(lake)) == 9


def test_where_a_lower_shard_is_left_out_those_between_are_decided_again_without_their_files(tmp_path: Path) -> None:
    lake, own = _lake(tmp_path)
    for shard in SHARDS:
        _ingest(lake, own, shard)
    skip_shard(lake, SHARDS[0], "junk")
    (tmp_path / "dumps" / "d" / "b.jsonl").rename(tmp_path / "b.jsonl")
    assert _ingest(lake, own, SHARDS[2])["digests_read_ahead"] == []
    (tmp_path / "b.jsonl").rename(tmp_path / "dumps" / "d" / "b.jsonl")
    _ingest(lake, own, SHARDS[1])
    other, same = _lake(tmp_path, "other")
    skip_shard(other, SHARDS[0], "junk")
    for shard in SHARDS[1:]:
        _ingest(other, same, shard)
    later = _tables(lake)[0].filter(pl.col("shard") != SHARDS[0])
    assert later.equals(_tables(other)[0])
    assert lake.read(CONTENT_DIGESTS, SHARDS[2]).equals(other.read(CONTENT_DIGESTS, SHARDS[2]))


def test_a_shard_keeps_what_it_holds_of_a_page_that_another_run_reads(tmp_path: Path) -> None:
    """Tables are read group by group: each page's sketch is found in a table of several."""
    texts = [english(number) for number in range(1100)]
    (tmp_path / "dumps" / "d").mkdir(parents=True)
    for file, some in (("a.jsonl", texts), ("b.jsonl", [f"{text} It ends so." for text in texts[::-100]])):
        rows = ({"text": text, "url": ""} for text in some)
        (tmp_path / "dumps" / "d" / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    lake, own = _lake(tmp_path)
    _ingest(lake, own, "d.0001")
    ids = lake.read(CONTENT_DIGESTS, "d.0000")["document_id"]
    details = lake.rejects(RAW_DOCUMENTS, "d.0001").collect()["detail"].to_list()
    assert [detail.split()[0] for detail in details] == ids[::-100].to_list()


def test_rows_that_are_personas_are_not_compared(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"text": _near(1, changed)}) + "\n" for changed in range(3)))
    own = Settings()
    [batch] = read_documents([CrawlFile(file, file.name)], "d", own)
    personas = batch.documents.with_columns(kind=pl.Series(["page", "persona", "page"]))
    with Sieve("d", own) as sieve:
        standing, rejects, _ = sieve.sift(type(batch)(personas, batch.rejects, 0, 0))
    assert standing["kind"].to_list() == ["page", "persona"]
    assert rejects["reason"].to_list() == ["near_duplicate"]
