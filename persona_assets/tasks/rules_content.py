"""Rules about what a sample is: a question, a problem without its solution, a usable tool definition."""

import keyword
import re
from collections.abc import Mapping
from typing import Any

import jsonschema

from persona_assets.tasks.sample import Sample

_SHOWN = 80
# A question mark, a question word that opens a sentence, or a verb that asks for something.
_ASKS = re.compile(
    r"[?？]"
    r"|(?:^|[.!\n]\s*)(?:how|what|which|who|when|where|why|is|are|does|do|can|could|should)\b"
    r"|\b(?:find|calculate|compute|determine|prove|show|solve|estimate|evaluate|derive|write|explain|help|give|suggest|"
    r"recommend|describe|compare|list|draw up|create|draft|summari[sz]e|translate|design|outline|provide|tell|make|"
    r"plan|rewrite|analy[sz]e|propose|can you|could you|please|i need|i want|how many|how much)\b"
    r"|求|计算|证明|多少|请|帮|如何|怎么|怎样|什么|哪|写|列出|解释|说明|比较|推荐|设计|给我|能否|是否|吗"
    r"|几[个次种天本张名位点分元米岁小]"
    r"|(?:^|[.!\n]\s*)(?:как|какой|какая|какое|какие|почему|зачем|где|когда|кто|что|можно ли)\b"
    r"|\b(?:найдите|найти|вычислите|определите|докажите|решите|сколько|каков\w*|напишите|объясните|помогите|подскажите|"
    r"составьте|предложите|сравните|опишите|расскажите|перечислите|изложите|посоветуйте|переведите|придумайте|дайте|"
    r"нужн\w*|нужен|можете|пожалуйста|постройте|укажите)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|half|"
    r"third|quarter|twice|double|triple|dozen|percent)\b"
    r"|[二三四五六七八九十百千万两半]"
    r"|\b(?:дв[аеу]\w*|тр[иёе]\w{0,3}|четыр\w+|пят[ьи]\w*|шест[ьи]\w*|сем[ьи]|восем\w*|восьм\w*|девят\w+|десят\w+|сто|сот\w*|"
    r"тысяч\w*|половин\w+|трет[ьи]\w*|четверт\w+|вдвое|втрое|процент\w*)\b",
    re.IGNORECASE,
)
_SOLUTION = re.compile(
    r"(?:^|[\s*#.(])(?:solution|final answer|answer|step 1)\s*\**\s*[:：=]"
    r"|\\boxed\s*\{"
    r"|\b(?:so|thus|therefore|hence|consequently),?\s+(?:the (?:final )?answer\s+is|we (?:get|obtain|have)\b)"
    r"|\b(?:the (?:final|correct) answer is)\b"
    r"|(?:^|[\s。？?*#（(])(?:解|答|解答|答案|解析|参考答案)\s*\**\s*[:：]|(?:正确|最终)?答案(?:是|为)\s*[^？?]{0,40}。"
    r"|(?:因此|所以|于是)[，,]?(?:答案|结果)(?:是|为)"
    r"|(?:^|[\s*#.(])(?:ответ|решение)\s*\**\s*[:：=—–]"
    r"|\b(?:следовательно|значит|поэтому|итак),?\s+(?:ответ\b|получаем\b)",
    re.IGNORECASE,
)
_HENCE = (
    r"(?:\b(?:so|thus|therefore|hence|giving|which is|следовательно|значит|поэтому|итак)\b|因此|所以|于是|故)"
    r"[^.。?？\n]{0,80}"
)
_APART = r"(?<![0-9A-Za-zА-Яа-яё.])"  # not within a word or number; Chinese has no gap before one
_CLOSING = r"(?![0-9A-Za-zА-Яа-яё]|[.,]\d)[^?？]{0,40}$"  # a question after it would make the number a premise
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LONGEST_ANSWER = 12  # characters; longer ones are phrases, which a problem may hold by chance


def is_question_or_task(sample: Sample, field: str) -> str | None:
    """The text asks for something."""
    text = sample.text(field)
    return None if _ASKS.search(text) else f"{field} asks for nothing: {text[:_SHOWN]}"


def has_number(sample: Sample, field: str) -> str | None:
    """The text holds a number, in digits or words."""
    return None if _NUMBER.search(sample.text(field)) else f"{field} holds no number"


def no_solution(sample: Sample, field: str, answer_field: str = "") -> str | None:
    """The problem holds no worked solution and does not conclude with its answer."""
    text = sample.text(field)
    if match := _SOLUTION.search(text):
        return f"{field} holds a solution: {match.group(0).strip()[:_SHOWN]}"
    answer = sample.text(answer_field).strip() if answer_field else ""
    if answer and len(answer) <= _LONGEST_ANSWER:
        concluded = re.search(_HENCE + _APART + re.escape(answer) + _CLOSING, text, re.IGNORECASE)
        if concluded:
            return f"{field} concludes with its answer {answer}: {concluded.group(0)[:_SHOWN]}"
    return None


def valid_tool(sample: Sample) -> str | None:
    """`function_name` is an identifier, `parameters` a JSON Schema of an object with properties, `returns` a schema."""
    name, parameters, returns = (sample.content.get(key) for key in ("function_name", "parameters", "returns"))
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        return f"function_name {str(name)[:_SHOWN]!r} is not an identifier"
    return _bad_parameters(parameters) or _bad_returns(returns)


def _bad_parameters(parameters: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if problem := _bad_schema("parameters", parameters):
        return problem
    properties = parameters.get("properties")
    if parameters.get("type") != "object" or not isinstance(properties, Mapping):
        return "parameters is no JSON Schema of type object with properties"
    bad = [name for name in properties if not _IDENTIFIER.fullmatch(name)]
    if bad:
        return f"parameters: {bad[0][:_SHOWN]!r} is not an identifier"
    missing = [name for name in parameters.get("required", []) if name not in properties]
    return f"parameters: required names {missing[0][:_SHOWN]!r}, which is not a property" if missing else None


def _bad_returns(returns: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return "returns says nothing" if not returns else _bad_schema("returns", returns)


def _bad_schema(name: str, schema: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if not isinstance(schema, Mapping):
        return f"{name} is not an object"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"{name} is no JSON Schema: {error.json_path}: {error.message[:_SHOWN]}"
    except RecursionError:
        return f"{name} is nested too deeply"
    return None
