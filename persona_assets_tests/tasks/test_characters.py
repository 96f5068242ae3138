"""Characters in a small lake that the real steps made: from profiles and personas to scripts and training rows."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.export.folder import export
from persona_assets.export.interviews import export_interviews
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.ids import make_id
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets.steps.model import Context
from persona_assets.tasks.load import datasets
from persona_assets_tests.characters.profiles import CHINESE, DIARY, ENGLISH, RUSSIAN
from persona_assets_tests.plan.work import Work

FILES = {
    "ada.md": ENGLISH,
    "lin.md": CHINESE,
    "ivan.txt": RUSSIAN,
    "tom.md": DIARY,
    "nameless.md": "A text about nobody in particular.",
    "two.md": "# Ada\n\nShe was.\n\n# Tom\n\nHe was.\n",
    "hub.yaml": "title: Three\nwhere: {language: [en]}\nsize: 3\nscenes: 2\n",
}
KEYS = ("ada", "lin", "ivan", "tom", "nameless", "two", "hub")
SCRIPT = """Background: The shop, in the evening.
Ada Quill (thinking): I am tired.
Dr. Hale (speaking): Where were you born?
Ada Quill (speaking): {line}
Dr. Hale (speaking): Ah."""
FAULTY = {
    "has_background": SCRIPT.format(line="In Harwick.").partition("\n")[2],
    "least_turns": "Background: The shop.\nAda Quill (speaking): Good evening.",
    "character_present": "Background: The shop.\nTom (speaking): A.\nJane (speaking): B.\nTom (speaking): C.",
    "only_character_thinks": SCRIPT.format(line="In Harwick.") + "\nDr. Hale (thinking): She lies.",
    "known_actions": SCRIPT.format(line="In Harwick.") + "\nDr. Hale (coughing): Hm.",
    "parse_failure": "   ",
    "every_turn": SCRIPT.format(line="As an AI language model I was never born."),
    "no_leak": SCRIPT.format(line="In Harwick, long before television."),
}
AGAINST = "I was born in London, and my father was a baker."


class Told(OfflineEngine):
    """The offline engine, but that scripts about Ada Quill are faulty ones in turn, and one line is contradicted."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest, at = [], 0
        for request in requests:
            asked = request.messages[1]["content"]
            said = ""
            if request.template.name == "experiences" and "<name>Ada Quill</name>" in asked:
                told = [*FAULTY.values(), SCRIPT.format(line=AGAINST), SCRIPT.format(line="In Harwick.")]
                said, at = told[at % len(told)], at + 1
            if request.template.name == "line_claims" and AGAINST in asked:
                number = re.search(r"(\d+)\. Her father, Mr\. Marsh", asked)
                assert number, "the statement that matters is shown"
                claim = {"claim": "Her father was a baker.", "reason": "He filed wheels.", "verdict": "contradicted"}
                said = json.dumps({"claims": [claim | {"rests_on": [int(number[1])]}]})
            if said:
                yield [Completion(request.call_id, said, "stop", 100, 20, 0.01)]
            else:
                rest.append(request)
        yield from super().stream(rest)


def settings(folder: Path, **values: Any) -> Settings:
    told = {
        "lake": str(folder / "lake"),
        "dumps": str(folder / "dumps"),
        "profiles": str(folder / "profiles"),
        "hops": 1,
        "fanout": (2,),
        "settle_s": 0,
        "scene_prompts": 9,
        "params": {"scenes.count": 3},
        "lines_judged": 1.0,
        "max_reject_rate": 1.0,
        "max_parse_failure_rate": 1.0,
        "held_out_share": 0.3,
        "datasets": ("character_training",),
    }
    return Settings(**(told | values))


def write(folder: Path, **files: str) -> None:
    (folder / "profiles").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / "profiles" / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("characters")
    write(folder, **FILES)
    work = Work(folder, settings(folder))
    work.drop("d", "a.jsonl", 0, 1, 2)
    work.run(engine=Told(work.settings))
    return work


def rows(work: Work, asset: str, key: str = "ada") -> pl.DataFrame:
    return work.lake.read(assets(work.settings)[asset].table, key)


def aside(work: Work, asset: str, key: str = "ada") -> dict[str, str]:
    """By reason a detail of what was set aside."""
    found = work.lake.rejects(assets(work.settings)[asset].table, key).collect()
    return dict(found.select("reason", "detail").iter_rows())


# Casts and profiles


def test_a_profile_is_a_cast_of_one_and_a_query_one_of_many(work: Work) -> None:
    for key in ("ada", "lin", "ivan", "tom"):
        assert rows(work, "cast_members", key)["character_id"].to_list() == [make_id("chr", key)]
    hub = rows(work, "cast_members", "hub")
    personas = hub["persona_ids"].explode()
    assert hub["character_id"].to_list() == [make_id("chr", one) for one in personas]
    assert len(set(personas)) == 3


def test_the_language_of_a_profile_is_told_from_it(work: Work) -> None:
    found = {key: rows(work, "characters", key)["language"].item() for key in ("ada", "lin", "ivan")}
    assert found == {"ada": "en", "lin": "zh", "ivan": "ru"}


@pytest.mark.parametrize(
    ("key", "reason", "said"),
    [("nameless", "no_name", "nameless.md: it has no line"), ("two", "several_names", "lines 1 and 5")],
)
def test_a_file_that_is_no_profile_is_set_aside_with_its_remedy(work: Work, key: str, reason: str, said: str) -> None:
    assert said in aside(work, "cast_members", key)[reason]
    assert rows(work, "cast_members", key).is_empty()


def test_a_persona_gets_a_profile_that_a_model_writes_and_a_file_asks_nobody(work: Work) -> None:
    assert rows(work, "character_profiles").is_empty()
    assert set(aside(work, "character_profiles")) == {"not_selected"}
    written, made = rows(work, "character_profiles", "hub"), rows(work, "characters", "hub")
    assert written.height == made.height == 3
    assert sorted(made["profile_id"]) == sorted(written["sample_id"])
    assert set(made["name"]) == set(written["name"])
    assert made["last_year"].to_list() == [None] * 3  # who lives today has none
    assert all(made["unknown"])


def test_statements_stand_in_the_profile_where_they_say(work: Work) -> None:
    for key in ("ada", "lin", "ivan", "tom", "hub"):
        profiles = dict(rows(work, "characters", key).select("character_id", "profile").iter_rows())
        told = rows(work, "statements", key)
        assert told.height > 3
        for one in told.iter_rows(named=True):
            assert profiles[one["character_id"]][one["start"] : one["end"]] == one["text"]


def test_a_paragraph_keeps_its_id_and_its_side_when_another_one_changes(work: Work, tmp_path: Path) -> None:
    write(tmp_path, **{"ada.md": ENGLISH.replace("Nobody bought it", "A friend bought it")})
    other = Work(tmp_path, settings(tmp_path))
    made(other, "casts", "cast_members", "character_profiles", "characters", "profile_paragraphs")
    before, after = (rows(one, "profile_paragraphs")["paragraph_id"].to_list() for one in (work, other))
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, True, False, True]


def made(work: Work, *names: str, engine: OfflineEngine | None = None) -> None:
    state = LakeState(work.lake, work.settings)
    context = Context(work.lake, work.settings, engine or OfflineEngine(work.settings), "run", keeper=state)
    for name in names:
        for key in state.keys(name):
            [*state.assets[name].run(context, key)]


def test_profiles_alone_need_no_crawl(tmp_path: Path) -> None:
    write(tmp_path, **{"ada.md": ENGLISH})
    wanted = settings(tmp_path)
    work = Work(tmp_path, wanted)
    made(work, *(name for name in assets(wanted) if name in LakeState(work.lake, wanted).chosen))
    state = LakeState(work.lake, wanted)
    assert state.of("character_training", "ada").state is State.DONE
    assert "deduped_personas" not in assets(wanted)["cast_members"].reads
    assert list(state.own_sets) == ["casts"]


def test_a_first_plan_counts_prompts_by_what_the_profiles_hold(tmp_path: Path) -> None:
    write(tmp_path, **{"ada.md": ENGLISH, "lin.md": CHINESE, "broken.md": FILES["two.md"]})
    work = Work(tmp_path, settings(tmp_path, lines_judged=0.5))
    planned = {one.asset: one.total("questions").value for one in work.plan().assets}
    scenes, characters = 9 * 3, 3  # the file that is no profile counts until it is read
    assert planned["scenes"] == characters * 9
    assert planned["experiences"] == characters * scenes
    assert planned["line_claims"] == pytest.approx(characters * scenes * 7 / 2)
    made(work, *(name for name in assets(work.settings) if name in LakeState(work.lake, work.settings).chosen))
    asked = sum(rows(work, "profile_paragraphs", key)["scenes_asked"].sum() for key in ("ada", "lin"))
    assert asked == 2 * 9


def test_a_first_plan_of_a_query_counts_its_members(tmp_path: Path) -> None:
    write(tmp_path, **{"hub.yaml": "size: 40\nscenes: 3\n"})
    work = Work(tmp_path, settings(tmp_path, datasets=("scenes",)))
    work.drop("d", "a.jsonl", 0)
    planned = {one.asset: one.total("questions").value for one in work.plan().assets}
    assert planned["character_profiles"] == 40
    assert planned["scenes"] == pytest.approx(120)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size: many", "hub.yaml: size: Input should be a valid integer"),
        ("size: 0", "hub.yaml: size: Input should be greater than or equal to 1"),
        ("size: 3\ncolour: red", "hub.yaml: colour: unknown key; did you mean"),
        ("title: Nobody", "hub.yaml: size: Field required"),
    ],
)
def test_a_wrong_cast_is_told_by_file_and_key_before_anything_is_asked(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, **{"hub.yaml": text})
    with pytest.raises(UsageError, match=re.escape(said).replace("did\\ you\\ mean", "")):
        datasets(settings(tmp_path))


def chosen(work: Work, **query: str) -> pl.DataFrame:
    """The members of a cast of the lake's personas."""
    step = assets(work.settings)["cast_members"].derived
    assert step
    casts = pl.DataFrame({"row_id": ["row"], "file": ["hub.yaml"], **{name: [told] for name, told in query.items()}})
    found = step.declared.function(casts.lazy(), work.lake.scan(assets(work.settings)["deduped_personas"].table))
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.mark.parametrize("query", [{"where": '{"language": ["xx"]}'}, {"mentions": '["zeppelin"]'}])
def test_a_cast_of_nobody_is_an_error_with_its_file(work: Work, query: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"hub\.yaml: no persona is as"):
        chosen(work, size="3", **query)


def test_a_larger_cast_holds_the_smaller_one(work: Work) -> None:
    small = set(rows(work, "cast_members", "hub")["character_id"])
    assert small < set(chosen(work, size="5", where='{"language": ["en"]}')["character_id"])


def test_who_is_chosen_may_hang_on_words_of_the_text(work: Work) -> None:
    found = chosen(work, size="99", mentions='["BEE", "(["]')
    assert found.height
    assert all("bee" in text.lower() for text in found["described"])


def test_casts_that_look_at_attributes_or_types_read_them(tmp_path: Path) -> None:
    for text, reads in (
        ("size: 1", ("casts", "deduped_personas")),
        ("size: 1\nwhere: {region: [oceania]}", ("casts", "deduped_personas", "persona_attributes")),
        ("size: 1\ntypes: mbti", ("casts", "deduped_personas", "persona_attributes", "persona_types")),
    ):
        write(tmp_path, **{"hub.yaml": text})
        assert assets(settings(tmp_path))["cast_members"].reads == reads


def test_a_typed_cast_shows_each_with_the_manner_of_its_type(tmp_path: Path) -> None:
    write(tmp_path, **{"hub.yaml": "size: 2\ntypes: mbti\nwhere: {language: [en]}\nscenes: 1\n"})
    work = Work(tmp_path, settings(tmp_path, datasets=("experiences",)))
    work.drop("d", "a.jsonl", 0)
    work.run()
    members = rows(work, "cast_members", "hub")
    assert all(members["type"])
    assert ["".join(poles) for poles in members["poles"]] == members["type"].to_list()
    assert all(len(ids) == 4 for ids in rows(work, "experiences", "hub")["manners_ids"])


# Scenes


def test_every_paragraph_is_asked_where_there_are_prompts_enough(work: Work) -> None:
    told = rows(work, "profile_paragraphs")
    assert told["scenes_asked"].sum() == 9
    assert told["scenes_asked"].min() >= 1


def test_longer_paragraphs_are_asked_more_often(work: Work) -> None:
    step = assets(work.settings)["profile_paragraphs"].derived
    assert step
    long = "She wound the clock. " * 100
    told = rows(work, "characters").with_columns(profile=pl.lit(f"# Ada\n\nShe was nine.\n\n{long}\n\nShe left.\n"))
    for prompts, asked in ((10, [1, 8, 1]), (3, [1, 1, 1]), (2, [0, 2, 0])):
        found = step.declared.function(told.lazy(), scene_prompts=prompts)
        assert isinstance(found, pl.DataFrame)
        assert found["scenes_asked"].to_list() == asked


def test_with_few_prompts_not_every_paragraph_is_asked(work: Work) -> None:
    asked = rows(work, "profile_paragraphs", "hub").group_by("character_id").agg(pl.col("scenes_asked").sum())
    assert asked["scenes_asked"].to_list() == [2] * 3
    assert set(aside(work, "scenes", "hub")) == {"not_selected"}


def test_a_scene_rests_on_statements_of_its_paragraph(work: Work) -> None:
    told = rows(work, "statements").select("sample_id", "parent_ids").explode("parent_ids")
    of_paragraph = dict(told.iter_rows())
    for scene in rows(work, "scenes").iter_rows(named=True):
        assert scene["rests_on"]
        assert {of_paragraph[one] for one in scene["rests_on"]} == set(scene["parent_ids"])


def test_near_duplicates_are_set_aside_and_name_the_earlier_scene(work: Work) -> None:
    step = assets(work.settings)["distinct_scenes"].derived
    assert step
    names = ("scenes", "profile_paragraphs", "characters", "statements")
    frames = [rows(work, name).lazy() for name in names]
    found = step.declared.function(*frames, max_scene_similarity=0.3)
    assert isinstance(found, pl.DataFrame)
    near = found.filter(pl.col("reason") == "too_similar")
    assert near.height
    kept = set(found.filter(pl.col("reason").is_null())["parent_ids"].explode())
    for detail in near["detail"]:
        similarity, other = re.fullmatch(r"([0-9.]+) to (smp_\w+)", detail).groups()  # type: ignore[union-attr]
        assert float(similarity) >= 0.3
        assert other in kept
    assert found.height == rows(work, "scenes").height


def test_a_scene_of_a_diary_has_the_date_of_its_entry(work: Work) -> None:
    assert set(rows(work, "distinct_scenes", "tom")["date"]) <= {None, "1890-04-03", "1890-04-05", "1890-04-07"}
    assert "1890-04-05" in set(rows(work, "distinct_scenes", "tom")["date"])


# Experiences


def test_scripts_are_set_aside_by_what_is_wrong_with_them(work: Work) -> None:
    assert set(aside(work, "experiences")) == set(FAULTY)


def test_turns_are_rows_of_speaker_action_and_text(work: Work) -> None:
    for key in ("ada", "lin", "ivan", "hub"):
        turns = rows(work, "experiences", key)["turns"].explode().struct.unnest()
        assert set(turns["action"]) == {"background", "speaking", "thinking"}
        assert turns["text"].str.len_chars().min()


# Lines and claims


def test_a_line_is_shown_with_what_its_scene_rests_on_first_and_what_it_was_said_to(work: Work) -> None:
    lines = rows(work, "character_lines")
    assert set(lines["text"]) == {"I am tired.", AGAINST, "In Harwick."}
    spoken = lines.filter(action="speaking")
    assert set(spoken["before"]) == {"Dr. Hale: Where were you born?"}
    scenes = dict(rows(work, "distinct_scenes").select("sample_id", "statement_ids").iter_rows())
    scene_of = dict(rows(work, "experiences").select("sample_id", pl.col("parent_ids").list.first()).iter_rows())
    for line in lines.iter_rows(named=True):
        cited = scenes[scene_of[line["parent_ids"][0]]]
        assert line["evidence_ids"][: len(cited)] == cited


def test_a_line_of_a_diary_is_shown_no_statement_of_a_later_date(work: Work) -> None:
    dates = dict(rows(work, "statements", "tom").select("sample_id", "date").iter_rows())
    seen = 0
    for line in rows(work, "character_lines", "tom").iter_rows(named=True):
        if line["date"]:
            seen += 1
            assert all(dates[one] is None or dates[one] <= line["date"] for one in line["evidence_ids"])
    assert seen


def test_an_experience_with_a_contradicted_line_names_turn_claim_and_statement(work: Work) -> None:
    detail = aside(work, "faithful_experiences")["contradicted"]
    assert detail.startswith("turn 4: Her father was a baker. contradicts smp_")
    assert detail.endswith(": Her father, Mr. Marsh, taught her to file wheels.")
    kept = rows(work, "faithful_experiences")["turns"].explode().struct.field("text")
    assert AGAINST not in set(kept)
    assert "In Harwick." in set(kept)


def test_what_was_judged_is_cited(work: Work) -> None:
    claims = set(rows(work, "line_claims")["sample_id"])
    for ids in rows(work, "faithful_experiences")["claim_ids"]:
        assert set(ids) <= claims
        assert len(ids)


def test_with_no_share_nothing_is_judged_and_all_stays(work: Work, tmp_path: Path) -> None:
    write(tmp_path, **{"lin.md": CHINESE})
    other = Work(tmp_path, settings(tmp_path, lines_judged=0.0))
    made(other, *(name for name in assets(other.settings) if name in LakeState(other.lake, other.settings).chosen))
    assert rows(other, "character_lines", "lin").is_empty()
    assert rows(other, "faithful_experiences", "lin").height == rows(other, "experiences", "lin").height


# Training rows


def test_a_training_row_is_the_script_under_who_where_and_what(work: Work) -> None:
    for key, opening in (("ada", "You are Ada Quill."), ("lin", "你是林秋月。"), ("ivan", "Ты — Иван Кузнецов.")):
        trained = rows(work, "character_training", key).filter(kind="experience")
        scripts = dict(rows(work, "faithful_experiences", key).select("sample_id", "turns").iter_rows())
        assert trained.height == len(scripts)
        for row in trained.iter_rows(named=True):
            turns = scripts[row["source_id"]]
            assert row["prompt"].startswith(opening)
            assert turns[0]["text"].split()[0] in row["prompt"]
            assert row["output"].count("<|eot|>\n") == row["turns"]
            assert row["messages"][0] == {"role": "system", "content": row["prompt"]}
            assert row["messages"][-1]["role"] == "assistant"
            assert {one["role"] for one in row["messages"][1:]} == {"user", "assistant"}


def test_what_comes_from_one_paragraph_is_on_one_side(work: Work) -> None:
    told = pl.concat([rows(work, "character_training", key) for key in ("ada", "lin", "ivan", "tom", "hub")])
    assert set(told["split"]) == {"train", "held_out"}
    assert told.group_by("paragraph_id").agg(pl.col("split").n_unique())["split"].max() == 1
    check = assets(work.settings)["character_training"].table.own_gates[0]
    parted = told.head(1).vstack(told.head(1).with_columns(split=pl.lit("another")))
    assert check.name == "no_paragraph_parted"
    assert check.failing(parted.lazy()).height == 2


def trained(work: Work, key: str = "lin", **values: Any) -> pl.DataFrame:
    step = assets(work.settings)["character_training"].derived
    assert step
    told = {"held_out_share": 0.02, "protective_share": 0.0, "character_loss": "character", **values}
    found = step.declared.function(*(rows(work, name, key).lazy() for name in step.declared.reads), **told)
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.9])
def test_protective_rows_are_at_most_the_share_that_is_wanted(work: Work, share: float) -> None:
    kinds = trained(work, protective_share=share)["kind"]
    protective, there = int((kinds == "protective").sum()), rows(work, "protective_experiences", "lin").height
    assert protective == min(there, int(share * (len(kinds) - protective) / (1 - share) + 1e-9))
    assert protective <= share * len(kinds) + 1e-9


def test_a_larger_protective_share_holds_the_smaller_one(work: Work) -> None:
    small, large = (
        set(trained(work, protective_share=share).filter(kind="protective")["source_id"]) for share in (0.1, 0.4)
    )
    assert small < large


def test_a_protective_row_is_in_a_room_and_without_thoughts(work: Work) -> None:
    for row in trained(work, protective_share=0.4).filter(kind="protective").iter_rows(named=True):
        assert "时间和地点：一间屋子里" in row["prompt"]
        assert "(thinking)" not in row["output"]


def test_the_loss_may_be_on_all_turns(work: Work) -> None:
    found = trained(work, character_loss="all")
    for row in found.iter_rows(named=True):
        assert [one["role"] for one in row["messages"]] == ["system", "user", "assistant"]
        assert row["messages"][2]["content"] == row["output"]


def test_training_rows_are_written_in_the_published_layout(work: Work, tmp_path: Path) -> None:
    graph = assets(work.settings)
    counts = export_interviews(work.lake, graph, "character_training", tmp_path / "out")
    told = {key: rows(work, "character_training", key) for key in KEYS}
    assert sum(counts.values()) == sum(one.height for one in told.values())
    found = {
        (line["source"], line["prompt"], line["output"])
        for file in (tmp_path / "out" / "prompted").glob("prompted_agent_dialogue_林秋月*.jsonl")
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines())
    }
    assert found == set(told["lin"].select("source_id", "prompt", "output").iter_rows())
    held = told["lin"].filter(split="held_out").height
    assert counts.get("prompted/prompted_agent_dialogue_林秋月_held_out.jsonl", 0) == held


def test_training_rows_are_conversations_for_trainers(work: Work, tmp_path: Path) -> None:
    export(work.lake, assets(work.settings), Export("character_training", tmp_path / "out", "chatml"))
    found = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet")
    assert found.height == sum(rows(work, "character_training", key).height for key in KEYS)
    assert all(one[-1]["role"] == "assistant" for one in found["messages"])


def test_one_model_for_all_characters_is_a_recipe(work: Work) -> None:
    assert "character_training" in assets(work.settings)["training_mix"].reads_of("characters")


@pytest.mark.parametrize("key", ["ada", "hub"])
def test_a_training_row_is_traced_to_the_statement_and_to_the_file_or_the_page(work: Work, key: str) -> None:
    first = rows(work, "character_training", key).sort("sample_id")["sample_id"][0]
    found = audit(work.lake, work.settings, first)
    assert not [one for one in found.verifications if one.status is Status.FAILED]
    kinds = {one.kind for one in found.nodes()}
    tables = {one.table for one in found.nodes()}
    assert {"statements", "scenes", "experiences", "casts"} <= tables
    assert ("document" in kinds) == (key == "hub")
