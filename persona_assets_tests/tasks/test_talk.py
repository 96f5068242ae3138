"""Talks: speakers with a prompt each, who hear what the others say and no more."""

import json
from pathlib import Path
from typing import Any

import pytest

from persona_assets.engines.base import Request
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.ids import canonical_json
from persona_assets.lake import Lake
from persona_assets.lineage.audit import audit
from persona_assets.lineage.model import Status
from persona_assets.prompts import Message, Template
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.rows import SHARD
from persona_assets_tests.tasks.own import answer_of, people, write

HOST = {
    "messages": [{"role": "system", "content": "You interview {{ persona }}."}, {"role": "user", "content": "Begin."}],
    "response_schema": answer_of(thought="string", say="string", done="boolean"),
}
GUEST = {
    "messages": [{"role": "system", "content": "You are {{ persona }}."}],
    "response_schema": answer_of(reply="string"),
    "says": "reply",
}
TASK: dict[str, Any] = {
    "name": "radio_interviews",
    "version": 1,
    "title": "Interviews",
    "description": "Interviews.",
    "talk": {"most": 5, "until": "answer.done", "speakers": {"host": HOST, "guest": GUEST}},
}


def changed(**talk: Any) -> dict[str, Any]:
    return TASK | {"talk": TASK["talk"] | talk}


def loaded(tmp_path: Path, task: dict[str, Any] = TASK) -> TaskStep:
    step = datasets(write(tmp_path / "tasks", task))["radio_interviews"]
    assert isinstance(step, TaskStep)
    return step


def answers(request: Request, ends: int = 99) -> str:
    """What each side says: which of its answers it is."""
    mine = sum(message["role"] == "assistant" for message in request.messages)
    if request.messages[0]["content"].startswith("You interview"):
        return json.dumps({"thought": f"secret {mine}", "say": f"question {mine}", "done": mine >= ends})
    return json.dumps({"reply": f"answer {mine}"})


def run(lake: Lake, step: TaskStep, ends: int = 99, **settings: Any) -> tuple[Scripted, list[dict[str, Any]]]:
    engine = Scripted(lambda request: answers(request, ends))
    run_task(context(lake, engine, **settings), step, SHARD)
    return engine, lake.read(step.table, SHARD).to_dicts()


def shown(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


def test_each_side_sees_the_other_as_the_user_and_itself_as_the_assistant(lake: Lake, tmp_path: Path) -> None:
    people(lake, "Ada")
    engine, [row] = run(lake, loaded(tmp_path))
    third, fourth = engine.asked[2].messages, engine.asked[3].messages
    assert shown(third)[1:] == [
        ("user", "Begin."),
        ("assistant", '{"thought": "secret 0", "say": "question 0", "done": false}'),
        ("user", "answer 0"),
    ]
    assert shown(fourth)[1:] == [
        ("user", "question 0"),
        ("assistant", '{"reply": "answer 0"}'),
        ("user", "question 1"),
    ]
    assert [one["speaker"] for one in row["talk"]] == ["host", "guest", "host", "guest", "host"]
    assert [one["text"] for one in row["talk"]][:2] == ["question 0", "answer 0"]


def test_what_is_thought_is_kept_and_shown_to_nobody_else(lake: Lake, tmp_path: Path) -> None:
    people(lake, "Ada")
    engine, [row] = run(lake, loaded(tmp_path))
    heard = [request for request in engine.asked if request.messages[0]["content"].startswith("You are")]
    assert heard
    assert not any("secret" in message["content"] for request in heard for message in request.messages)
    assert json.loads(row["talk"][0]["beside"]) == {"thought": "secret 0", "done": False}
    assert row["talk"][1]["beside"] is None


@pytest.mark.parametrize("ends, length", [(0, 1), (1, 3), (2, 5), (99, 5)])
def test_a_talk_ends_where_it_says_or_after_the_most_turns(lake: Lake, tmp_path: Path, ends: int, length: int) -> None:
    people(lake, "Ada", "Ben")
    engine, rows = run(lake, loaded(tmp_path), ends)
    assert [len(row["talk"]) for row in rows] == [length] * 2
    assert [len(row["call_ids"]) for row in rows] == [length] * 2
    assert len(engine.asked) == 2 * length


def test_among_three_who_spoke_is_named_and_what_others_said_stands_together(lake: Lake, tmp_path: Path) -> None:
    people(lake, "Ada")
    critic = GUEST | {"messages": [{"role": "system", "content": "You criticise."}]}
    step = loaded(tmp_path, changed(most=4, speakers={"host": HOST, "guest": GUEST, "critic": critic}))
    engine, _ = run(lake, step)
    assert shown(engine.asked[2].messages)[1:] == [("user", "host: question 0\nguest: answer 0")]
    assert shown(engine.asked[3].messages)[-1] == ("user", "guest: answer 0\ncritic: answer 0")


def test_a_run_again_makes_no_call_and_the_same_rows(lake: Lake, tmp_path: Path) -> None:
    people(lake, "Ada", "Ben")
    step = loaded(tmp_path)
    _, before = run(lake, step, 1)
    engine, after = run(lake, step, 1)
    assert engine.asked == []
    assert [row["sample_id"] for row in after] == [row["sample_id"] for row in before]


def test_an_answer_that_does_not_fit_is_repaired_and_the_talk_goes_on(lake: Lake, tmp_path: Path) -> None:
    people(lake, "Ada")
    step = loaded(tmp_path)
    lost = iter([True])

    def answer(request: Request) -> str:
        if request.messages[0]["content"].startswith("You are") and next(lost, False):
            return "no JSON"
        if "cannot be used" in request.messages[-1]["content"]:
            return '{"reply": "mended"}'
        return answers(request)

    run_task(context(lake, Scripted(answer)), step, SHARD)
    [row] = lake.read(step.table, SHARD).to_dicts()
    assert [one["text"] for one in row["talk"]][:3] == ["question 0", "mended", "question 1"]


def test_a_turn_without_a_usable_answer_names_its_speaker(lake: Lake, tmp_path: Path) -> None:
    people(lake, "Ada")
    step = loaded(tmp_path)
    engine = Scripted(lambda request: answers(request) if request.messages[0]["content"][4] == "i" else "no")
    run_task(context(lake, engine), step, SHARD)
    [aside] = lake.rejects(step.table, SHARD).collect().to_dicts()
    assert (aside["reason"], aside["detail"].partition(":")[0]) == ("parse_failure", "turn 2 (guest)")


@pytest.mark.parametrize("ends", [0, 1, 99])
def test_an_audit_renders_every_turn_again(lake: Lake, tmp_path: Path, ends: int) -> None:
    people(lake, "Ada")
    step = loaded(tmp_path)
    _, [row] = run(lake, step, ends)
    result = audit(lake, Settings(tasks=str(tmp_path / "tasks"), lake=lake.root), row["sample_id"])
    own = {check.name: check.status for check in result.root.verifications}
    assert (own["row_parses_again"], own["id_recomputes"]) == (Status.OK, Status.OK)
    chain, call = [], result.root.call
    while call:
        chain.append(call.call_id)
        assert Status.OK in {check.status for check in call.verifications if check.name == "call_key_recomputes"}
        call = call.after
    assert chain[::-1] == row["call_ids"]


def test_each_speaker_may_have_a_model_and_sampling_of_its_own(tmp_path: Path) -> None:
    speakers = {"host": HOST | {"sampling": {"temperature": 0}}, "guest": GUEST | {"sampling": {"top_p": 0.5}}}
    settings = write(tmp_path / "tasks", changed(speakers=speakers) | {"sampling": {"max_tokens": 77}})
    models = tmp_path / "models.yaml"
    models.write_text("models: {big: {model: large}}\nassets: {radio_interviews.guest: big}\n", encoding="utf-8")
    settings = settings.model_copy(update={"models": str(models), "engine": "openai", "model": "small"})
    asset = assets(settings)["radio_interviews"]
    recipe = asset.recipe(settings, asset.identity(settings))
    assert recipe["model"]["model"] == "small"
    assert (recipe["turns"]["guest"]["model"], recipe["turns"]["host"]["model"]) == ("large", "small")
    guest, host = recipe["turns"]["guest"]["sampling"], recipe["sampling"]
    assert (host["temperature"], guest["top_p"], guest["max_tokens"], host["max_tokens"]) == (0, 0.5, 77, 77)
    assert guest["temperature"] == settings.temperature


def test_the_ledger_keeps_a_talk_so_that_it_renders_again(tmp_path: Path) -> None:
    template = loaded(tmp_path).template
    again = Template.of_prompt_part(json.loads(canonical_json(template.at(3).prompt_part())))
    assert (again.turn, again.digest, again.voice) == (3, template.at(3).digest, "guest")
    assert again.whole.digest == template.digest


@pytest.mark.parametrize(
    "task, said",
    [
        (changed(speakers={"host": HOST}), "talk.speakers: Dictionary should have at least 2 items"),
        (changed(most=1), "talk.most: Input should be greater than or equal to 2"),
        (changed(until="answer.don"), "talk: until: no answer has 'don'; did you mean done?"),
        (changed(until="answer.("), "talk.until: is no expression"),
        (changed(untill="x"), "talk.untill: unknown key; did you mean until?"),
        (changed(speakers={"host": HOST | {"says": "sya"}, "guest": GUEST}), "did you mean say?"),
        (changed(speakers={"host": HOST, "guest": GUEST | {"say": "x"}}), "talk.speakers.guest.say: unknown key"),
        (changed(answers="gest"), "talk: answers: did you mean guest?"),
        (changed(speakers={"Host": HOST, "guest": GUEST}), "the speaker 'Host' needs another name"),
        (
            changed(speakers={"guest": GUEST, "host": HOST}),
            "the first speaker's prompt needs a message of the role user",
        ),
        (TASK | {"messages": HOST["messages"]}, "with `talk` there is no `messages`"),
        (
            changed(speakers={"host": HOST, "guest": GUEST | {"messages": [{"role": "user", "content": "{{ x }}"}]}}),
            "talk.speakers.guest.messages.0.content: 'x' is not there to use",
        ),
    ],
)
def test_mistakes_are_told_with_file_line_and_key(tmp_path: Path, task: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        loaded(tmp_path, task)
    assert f"{tmp_path}/tasks/radio_interviews.yaml:" in str(error.value)
    assert said in str(error.value)
