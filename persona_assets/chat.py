"""A person talks with a character: each answer is a call of the ledger, which holds the whole talk up to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.characters.training import meta_prompt
from persona_assets.errors import PersonaAssetsError, UsageError, did_you_mean
from persona_assets.ids import Json
from persona_assets.lake import Table
from persona_assets.lake.schemas import SAMPLE_COLUMNS
from persona_assets.prompts import Template
from persona_assets.prompts.load import load_template
from persona_assets.prompts.scripts import SPEAKING, THINKING, Said, script
from persona_assets.prompts.template import MessageTemplate
from persona_assets.steps.runner import Ask, Context, Parsed, StepRunner
from persona_assets.text.language import LANGUAGE_NAMES

CHAT = "chat"  # what calls and settings name it by
TELLS = ("profile", "nothing")
MOST_TOLD = 12_000  # characters of a profile in a prompt
_FILE = Path(__file__).parent / "characters" / "chat.yaml"
_VISITOR = {"en": "Visitor", "zh": "来访者", "ru": "Посетитель"}


@dataclass(frozen=True)
class Character:
    """Whom a person talks with: a row of `characters`, and the cast that it is in."""

    sample_id: str
    cast: str
    name: str
    names: Sequence[str]
    language: str
    profile: str


def character_of(rows: pl.DataFrame, named: str) -> Character:
    """The character of a name, an id or a cast of one; `rows` are those of `characters`.

    Raises:
        UsageError: there is none, or there are several; the message names some.
    """
    wanted = named.casefold()
    by_id = (pl.col("character_id") == named) | (pl.col("sample_id") == named)
    by_name = pl.col("name").str.to_lowercase() == wanted
    of_one = (pl.col("shard") == named) & (pl.len().over("shard") == 1)
    for fits in (
        by_id,
        by_name | of_one,
        pl.col("names").list.eval(pl.element().str.to_lowercase()).list.contains(wanted),
    ):
        found = rows.filter(fits)
        if found.height == 1:
            [row] = found.select("sample_id", "shard", "name", "names", "language", "profile").rows()
            return Character(*row)
        if found.height:
            some = ", ".join(
                f"{name} ({one})" for name, one in found.select("name", "character_id").head(5).iter_rows()
            )
            raise UsageError(f"several characters are called {named}: {some}; name one by its character_id")
    if rows.is_empty():
        raise UsageError("there are no characters yet: `PERSONA_DATASETS=characters persona-assets run` makes them")
    raise UsageError(f"there is no character {named}; {did_you_mean(named, rows['name'].to_list()[:100])}")


@dataclass
class Talk:
    """A talk with a character, turn by turn."""

    character: Character
    place: str = ""
    status: str = ""
    tells: str = "profile"  # what the prompt tells of the character: its profile, or nothing, as in training
    visitor: str = ""
    said: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Whoever talks has a name."""
        self.visitor = self.visitor or _VISITOR.get(self.character.language, _VISITOR["en"])

    def say(self, context: Context, text: str) -> list[Said]:
        """What the character answers: its turns, with `speaker`, `action` and `text`.

        The call is stored before it is used. What was said once in the same talk is answered from the ledger.

        Raises:
            PersonaAssetsError: there is no answer; nothing of it is kept in the talk.
        """
        said = [*self.said, f"{self.visitor} ({SPEAKING}): {' '.join(text.split())}"]
        step = ChatStep(_template(len(said)))
        one = self.character
        fill = {
            "prompt": meta_prompt(one.name, self.place, self.status, one.language),
            "tells": self.tells,
            "said": said,
            "answers": list(self.answers),
        }
        ask = Ask({"profile": one.profile, "language": one.language}, fill, 0, (("characters", one.sample_id),))
        [outcome] = StepRunner(step, context, one.cast).run(lambda: [ask], expected=1)
        if not outcome.parsed.rows:
            [reject] = outcome.parsed.rejects
            raise PersonaAssetsError(f"no answer: {reject.reason}: {reject.detail}")
        [row] = outcome.parsed.rows
        assert outcome.call
        self.said, self.answers = said, [*self.answers, row["answer"]]
        self.call_ids.append(outcome.call.call_id)
        own = {name.casefold() for name in (one.name, *one.names)}
        turns = [turn for turn in script(row["answer"]) if turn["speaker"].casefold() in own]
        return turns or [{"speaker": one.name, "action": SPEAKING, "text": row["answer"].strip()}]

    def as_log(self, model: str, turns: Sequence[Sequence[Said]]) -> dict[str, Any]:
        """The talk as an interview in the published layout; `turns` are what `say` gave."""
        content: list[dict[str, Any]] = []
        for number, (asked, answered) in enumerate(zip(self.said, turns, strict=True)):
            [heard] = script(asked)
            for role, told in (("interviewer", [heard]), ("character", answered)):
                entries = [_entry(one) for one in told]
                content.append({"turn_id": number, "turn_role": role, "turn_content": entries})
        first = script(self.said[0])[0]["text"] if self.said else ""
        about = {
            "character": self.character.name,
            "model": model,
            "topic": first,
            "qid": 0,
            "max_turns": len(self.said),
        }
        return {**about, "finished": True, "content": content}


def _entry(one: Mapping[str, str]) -> dict[str, str]:
    action = THINKING if one["action"] == THINKING else SPEAKING
    return {"role": one["speaker"], "action": f"({action})", "content": one["text"]}


def _template(turns: int) -> Template:
    """The prompt of so many turns: what was said and answered in turn, the last word the person's."""
    base = load_template(_FILE)
    talk = list(base.messages)
    for number in range(1, turns):
        talk.append(MessageTemplate(role="assistant", content=f"{{{{ answers[{number - 1}] }}}}"))
        talk.append(MessageTemplate(role="user", content=f"{{{{ said[{number}] }}}}"))
    return base.changed(messages=tuple(talk))


class ChatStep:
    """Asks one turn of a talk."""

    table = Table(CHAT, "sample_id", SAMPLE_COLUMNS)
    mends = False

    def __init__(self, template: Template) -> None:
        self.template = template

    @property
    def turns(self) -> tuple[Template, ...]:
        """The one prompt."""
        return (self.template,)

    def variables(self, ask: Ask, before: Sequence[Json] = ()) -> dict[str, Json]:
        """What fills the prompt: the talk so far, and what is told of the character."""
        known = ask.row["profile"][:MOST_TOLD] if ask.fill["tells"] == "profile" else ""
        language = LANGUAGE_NAMES.get(ask.row["language"], ask.row["language"])
        return {**ask.fill, "known": known, "language_name": language}

    def parse(self, ask: Ask, answer: Json, before: Sequence[Json] = ()) -> Parsed:
        """The answer, as a row that no table keeps."""
        return Parsed(rows=[{"answer": answer["answer"]}])
