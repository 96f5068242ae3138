"""Requests to the offline engine, and its answers as values."""

import json
from collections.abc import Iterable
from typing import Any

from persona_assets.engines.base import Completion, Request, Sampling
from persona_assets.engines.offline import OfflineEngine
from persona_assets.prompts import Template, load_templates
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings

LANGUAGES = {"en": "English", "zh": "Chinese", "ru": "Russian"}
SETTINGS = Settings()
PAGES = {
    "en": [
        "Fever in children\nA fever is not a disease. Give the child water, count the breaths and read the dosage by "
        "weight on the medicine. Paediatric nurses compare fever charts at night and explain the dosage to parents.",
        "Solving quadratic equations\nEvery quadratic equation has at most two roots. Pupils who factor the equation "
        "see the roots at once; the formula helps where factoring fails. Practise with fractions and negative numbers.",
        "Sourdough at home\nFeed the starter with rye flour. The dough rests in the oven overnight, then the loaf "
        "bakes on a hot stone. A sour crust needs steam. Bread keeps for a week in a linen bag.",
        "Router keeps dropping packets\nMy wifi router loses packets every evening. The firewall log shows latency "
        "above two seconds. I changed the channel and the bandwidth settings, but the router still restarts.",
    ],
    "zh": [
        "光合作用\n光合作用是植物利用叶绿素吸收光能的过程。叶绿素存在于叶片的细胞里，光合作用放出氧气。",
        "红烧豆腐的做法\n豆腐切块，锅里放油，加入大蒜和酱油。酱油不要太多，豆腐煎到金黄再加水，小火炖十分钟。",
        "手机屏幕维修\n手机屏幕碎了不要继续使用。先备份数据，再更换屏幕。充电器和电池也要检查。",
    ],
    "ru": [
        "Борщ на каждый день\nСвёклу натрите, лук и чеснок обжарьте на сковороде. Борщ варят на медленном огне, "
        "свёклу кладут последней. Овощи не должны развариться.",
        "Квадратные уравнения\nКвадратное уравнение имеет не больше двух корней. Чтобы найти корни уравнения, "
        "вычисляют дискриминант. Ученики решают уравнения на уроке и дома.",
        "Рассада помидоров\nСемена помидоров сеют в марте. Рассада любит свет и тёплую воду. В теплице рассаду "
        "высаживают в мае, когда почва прогрелась.",
    ],
}


def step_prompt(name: str) -> Template:
    """A prompt of the personas' hops."""
    return load_templates(PROMPTS)[name]


def requests(template: Template, variables: Iterable[dict[str, Any]], seed: int = 0) -> list[Request]:
    """One request per set of variables."""
    sampling = Sampling(0.7, 0.95, 2048, seed)
    return [
        Request(f"call_{number}", template.render(values), template.response_schema, sampling, template)
        for number, values in enumerate(variables)
    ]


def answers(template: Template, variables: Iterable[dict[str, Any]], seed: int = 0) -> list[Any]:
    """What the offline engine answers, in order; each fits the response schema."""
    return values_of(OfflineEngine(SETTINGS), requests(template, variables, seed), template)


def values_of(engine: OfflineEngine, asked: Iterable[Request], template: Template) -> list[Any]:
    """The engine's answers as JSON values, after validation."""
    found = []
    for results in engine.stream(asked):
        for result in results:
            assert isinstance(result, Completion)
            value = json.loads(result.text)
            template.validator.validate(value)
            found.append(value)
    return found


def page_variables(page: str, language: str, **values: Any) -> dict[str, Any]:
    """Variables of the extraction prompt."""
    return {
        "document": page,
        "language_name": LANGUAGES[language],
        "relations": ["read", "write", "like", "dislike"],
        "granularity": "fine",
        "personas_per_relation": 1,
        "forms": "read begins with what they do all day; 8 to 16 words",
    } | values


def kin_variables(persona: str, language: str, relation: str) -> dict[str, Any]:
    """Variables of the expansion prompt."""
    return {
        "persona": persona,
        "language_name": LANGUAGES[language],
        "relation": relation,
        "relation_description": "someone close to them",
        "with_others": False,
        "other_relations": "",
        "form": "begins with their stage of life; 8 to 16 words",
    }
