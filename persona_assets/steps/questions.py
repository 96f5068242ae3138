"""Questions: a step's asks with the id of their call and, where it has to be made, their prompt."""

from dataclasses import dataclass

from persona_assets.engines.base import ModelIdentity, Sampling, call_key
from persona_assets.ids import canonical_json
from persona_assets.prompts import Message
from persona_assets.prompts.renderer import Prompt, Renderer
from persona_assets.steps.answers import repair_messages
from persona_assets.steps.model import Ask, Step


@dataclass(slots=True)
class Question:
    """One question and the id of its call. A repair holds its messages; another's are rendered when they are needed."""

    ask: Ask
    call_id: str
    prompt: Prompt | None = None
    repair: list[Message] | None = None
    claim: int = 0  # number of the claim that it is asked under


class Questions:
    """Makes the questions of one step, for one model and its sampling."""

    def __init__(self, step: Step, identity: ModelIdentity, sampling: Sampling) -> None:
        """Prepare; nothing is rendered yet."""
        self.step, self.identity, self.sampling = step, identity, sampling
        self._renderer = Renderer(step.template)
        self._suffixes: dict[int, bytes] = {}

    def of(self, ask: Ask) -> Question:
        """The question of an ask; its id is that of `call_key`.

        Raises:
            UsageError: the template uses a variable that the step does not give.
        """
        prompt = self._renderer.prompt(self.step.variables(ask))
        suffix = self._suffixes.get(ask.attempt) or self._suffix(ask.attempt)
        return Question(ask, prompt.key(suffix), prompt)

    def messages(self, question: Question) -> list[Message]:
        """The chat messages that a question is asked with."""
        if question.repair is not None:
            return question.repair
        prompt = question.prompt or self._renderer.prompt(self.step.variables(question.ask))
        return prompt.messages()

    def repair_of(self, question: Question, answer: str, problem: str) -> Question:
        """The follow-up that shows a model its answer and what is wrong with it."""
        messages = [*self.messages(question), *repair_messages(answer, problem)]
        ask = Ask(question.ask.row, {"repair_of": question.call_id, "problem": problem}, question.ask.attempt)
        schema = self.step.template.response_schema
        return Question(ask, call_key(messages, schema, self.identity, self.sampling, ask.attempt), repair=messages)

    def _suffix(self, attempt: int) -> bytes:
        """What follows the messages in the canonical JSON that a call's key is the digest of, as in `call_key`."""
        rest = [
            self.step.template.response_schema,
            self.identity.model,
            self.identity.revision,
            self.sampling.as_dict(),
            attempt,
        ]
        self._suffixes[attempt] = b"," + canonical_json(rest)[1:]
        return self._suffixes[attempt]
