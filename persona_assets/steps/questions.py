"""Questions: a step's asks with the id of their call and, where it has to be made, their prompt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from persona_assets.engines.base import ModelIdentity, Sampling
from persona_assets.ids import Json, canonical_json, digest
from persona_assets.ledger.asked_again import Again
from persona_assets.prompts import Message, Template
from persona_assets.prompts.renderer import Prompt, Renderer
from persona_assets.prompts.template import Talk
from persona_assets.steps.answers import repair_messages, repair_template, repairable
from persona_assets.steps.model import Answered, Ask, Parsed, Step


@dataclass(slots=True)  # not frozen: that takes twice as long, for each of millions
class Answer:
    """A turn's answer that fits its schema: the call, and its value."""

    call: Answered
    value: Json
    parsed: Parsed | None = None  # where it was looked at whether a repair may mend it


@dataclass(slots=True)
class Question:
    """One question of one turn and the id of its call.

    Repairs, and turns after the first, hold their messages as `given`; those of what an ask begins with are rendered
    when they are needed.
    """

    ask: Ask
    call_id: str
    prompt: Prompt | None = None
    given: list[Message] | None = None
    claim: int = 0  # number of the claim that it is asked under
    before: tuple[Answer, ...] = ()  # the turns before
    turn: int = 0  # which turn, from 0: as many as there are before it
    repairs: "Question | None" = None  # the one whose answer it repairs
    problem: str = ""  # what was wrong with that answer
    repair: Template | None = None  # what it repairs it by

    def fill(self) -> dict[str, Json]:
        """What its call keeps beside the template, enough to render it again."""
        if self.repairs:
            return {"repair_of": self.repairs.call_id, "problem": self.problem}
        if self.before:
            return self.ask.stored_fill() | {"turn": self.turn, "after": self.before[-1].call.call_id}
        return self.ask.stored_fill()


def talked(talk: Talk, turn: int, own: Sequence[Message], before: Sequence[Answer]) -> list[Message]:
    """What a speaker is shown: its own prompt, what the others said, and its own answers.

    What is not said, as a thought, stays with who thought it. Among more than two, who spoke is named.
    """
    messages = list(own)
    for number, answer in enumerate(before):
        name = talk.speaker(number)
        if name == talk.speaker(turn):
            messages.append(Message(role="assistant", content=answer.call.answer))
            continue
        said = str(answer.value[talk.speakers[name].says])
        said = said if len(talk.speakers) == 2 else f"{name}: {said}"
        if messages[-1]["role"] == "user":
            said = f"{messages.pop()['content']}\n{said}"
        messages.append(Message(role="user", content=said))
    return messages


@dataclass(frozen=True)
class Voice:
    """Who answers a turn, and how: its prompt, model and sampling."""

    template: Template
    identity: ModelIdentity
    sampling: Sampling


class Questions:
    """Makes the questions of one step, for the model and sampling of each of its turns."""

    def __init__(
        self, step: Step, voice: Callable[[Template], Voice], again: Callable[[], Mapping[str, Again]] = dict
    ) -> None:
        """Prepare; nothing is rendered yet. `again` reads what stands in the place of which call."""
        self.step = step
        self.voices = tuple(map(voice, step.turns))
        self._renderers = tuple(map(Renderer, step.turns))
        self._suffixes: dict[tuple[int, int], bytes] = {}  # by turn and attempt
        self._read_again = again
        self._samplings: dict[str, Sampling] = {}  # by call, of those that are asked again

    def of(self, ask: Ask) -> Question:
        """The first question of an ask; its id is that of `call_key`.

        Raises:
            UsageError: the template uses a variable that the step does not give.
        """
        prompt = self._renderers[0].prompt(self.step.variables(ask))
        return Question(ask, self._latest(prompt.key, 0, ask.attempt), prompt)

    def sampling(self, question: Question) -> Sampling:
        """The parameters that a question is asked with."""
        return self._samplings.get(question.call_id) or self.voices[question.turn].sampling

    def messages(self, question: Question) -> list[Message]:
        """The chat messages that a question is asked with."""
        if question.given is not None:
            return question.given
        prompt = question.prompt or self._renderers[0].prompt(self.step.variables(question.ask))
        return prompt.messages()

    def next(self, question: Question, answer: Answer) -> Question | None:
        """The question of the next turn, once this one has an answer that fits; None where it was the last."""
        if len(question.before) + 1 == len(self.voices):
            return None
        before = (*question.before, answer)
        turn, values = len(before), [one.value for one in before]
        if self.step.template.ends(values):
            return None
        messages = self._renderers[turn].prompt(self.step.variables(question.ask, values)).messages()
        if self.step.template.talk:
            messages = talked(self.step.template.talk, turn, messages, before)
        elif self.voices[turn].template.history:
            said = Message(role="assistant", content=answer.call.answer)
            messages = [*self.messages(question.repairs or question), said, *messages]
        return self._given(question.ask, messages, before)

    def judged(self, question: Question, value: Json) -> Parsed | None:
        """What an answer that can be read holds, where a rule may have it repaired; None where none may.

        In a task of several turns the fault may stand in any of them, so there rules have no repair.
        """
        return self.step.parse(question.ask, value) if self._mends and not question.repairs else None

    @cached_property
    def _mends(self) -> bool:
        return self.step.mends and len(self.voices) == 1

    def repair_of(
        self, question: Question, answer: str, finish_reason: str, problem: str, parsed: Parsed | None
    ) -> Question | None:
        """The follow-up that shows a model its answer and what is wrong with it; None where there is none to be asked.

        An answer is repaired once: where it cannot be read, for its `problem`, or where, as `parsed`, it gives no row
        and a rule refuses it whose faults a repair may mend.
        """
        template = self.voices[question.turn].template
        if question.repairs:
            return None
        if problem and not repairable(template, finish_reason, problem):
            return None
        if not problem:
            problem = parsed.mends if parsed else ""
        if not problem:
            return None
        by = repair_template(answer, template)
        messages = repair_messages(by, template, question.call_id, self.messages(question), answer, problem)
        repair = self._given(question.ask, messages, question.before, self._samplings.get(question.call_id))
        repair.repairs, repair.problem, repair.repair = question, problem, by
        return repair

    def _given(
        self, ask: Ask, messages: list[Message], before: tuple[Answer, ...], sampling: Sampling | None = None
    ) -> Question:
        """A question that holds its messages; with `sampling` it follows from one that was asked again."""
        turn, start = len(before), b"[" + canonical_json(messages)

        def key_of(suffix: bytes) -> str:
            return f"call_{digest(start + suffix)}"

        if sampling is None:
            key = self._latest(key_of, turn, ask.attempt)
        else:
            key = key_of(self._suffix_of(turn, ask.attempt, sampling))
            self._samplings[key] = sampling
        return Question(ask, key, given=messages, before=before, turn=turn)

    @cached_property
    def _again(self) -> Mapping[str, Again]:
        return self._read_again()

    def _latest(self, key_of: Callable[[bytes], str], turn: int, attempt: int) -> str:
        """The call of a question, or the one that stands in its place since it was asked again."""
        key, sampling = key_of(self._suffix(turn, attempt)), self.voices[turn].sampling
        while (again := self._again.get(key)) and again.asking > sampling.asking:
            sampling = replace(sampling, asking=again.asking, max_tokens=again.max_tokens or sampling.max_tokens)
            key = key_of(self._suffix_of(turn, attempt, sampling))
            self._samplings[key] = sampling
        return key

    def _suffix(self, turn: int, attempt: int) -> bytes:
        if suffix := self._suffixes.get((turn, attempt)):
            return suffix
        suffix = self._suffixes[turn, attempt] = self._suffix_of(turn, attempt, self.voices[turn].sampling)
        return suffix

    def _suffix_of(self, turn: int, attempt: int, sampling: Sampling) -> bytes:
        """What follows the messages in the canonical JSON that a call's key is the digest of, as in `call_key`."""
        voice = self.voices[turn]
        rest = [
            voice.template.asked_schema,
            voice.identity.model,
            voice.identity.revision,
            sampling.as_dict(),
            attempt,
        ]
        return b"," + canonical_json(rest)[1:]
