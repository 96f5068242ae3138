"""Whether a text was made by a program for a program: logs, data, code, codes, prices."""

import re
from typing import Annotated

from persona_assets.crawl.quality.look import look
from persona_assets.rules.registry import rule
from persona_assets.settings import Settings

_MIN_LINES = 3
_SIGNS = "{}[]<>=;|\\"
_QUOTED_NAME = '":'  # of JSON
# What begins a line of a log, a dump of bytes or a trace of calls. Bounded, and anchored at the line's start.
_LOG_LINE = re.compile(
    r"""
    \[?\d{4}[-/.]\d\d[-/.]\d\d[T ,]{1,2}\d\d:\d\d:\d\d
    | \[?\d\d[/.-](?:\d\d|[A-Z][a-z]{2})[/.-]\d{2,4}[: ,]{1,2}\d\d:\d\d:\d\d
    | \[?\d{1,2}:\d\d:\d\d[\])., ]
    | \[\d{1,2}:\d\d\]
    | \d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}[\s:]
    | (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,2}\s+
      (?:[A-Z][a-z]{2}\s+)?\d{1,2}\s+\d\d:\d\d:\d\d
    | \[\s{0,4}\d{1,6}\.\d{6}\]
    | \[\s{0,4}(?:OK|FAILED|INFO|WARN|WARNING|ERROR|DEBUG|TRACE|FATAL)\s{0,4}\]
    | (?:INFO|WARN|WARNING|ERROR|DEBUG|TRACE|FATAL|CRITICAL)[ :\[]
    | (?:0x)?[0-9a-fA-F]{7,16}:?\s+(?:[0-9a-fA-F]{2,8}\s+){4}
    | at\s[\w.$<>/]{3,200}\(
    | File\s"[^"]{1,300}",\sline\s\d
    | \#\d{1,3}\s{1,4}\S
    | Caused\sby:
    | \.\.\.\s\d{1,4}\smore
    | Traceback\s\(most
    | (?:Fatal\serror|Warning|Notice|Parse\serror|Deprecated):\s.{1,300}\son\sline\s\d
    | (?:\w{1,40}\.){2,8}\w{0,40}(?:Exception|Error):
    | Exception\sin\sthread
    | \*\*\*\s
    """,
    re.VERBOSE,
)
_CODE_LENGTH = 45
_CODE = re.compile(rf"[!-~]{{{_CODE_LENGTH},}}")
_PRICE = re.compile(r"[$€£¥₽￥]\s?\d|\d\s?(?:[$€£¥₽￥]|(?:USD|EUR|GBP|RUB|CNY|RMB)\b|[Рр]уб|р\.|р/|т\.\s?р|元)")

# A number in figures at the end of a line, which is no year.
_LAST_NUMBER = re.compile(r"(?<![\d.,:/-])(?!(?:1[5-9]|20)\d\d$)\d{3,6}(?:[.,]\d\d)?$", re.M)


@rule("document")
def log_lines(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the text in lines that begin with a time, an address, a level or a call"] = 0.5,
) -> str | None:
    """The log of a program, a trace of calls, a dump of bytes."""
    found = look(text).lines
    marked = [len(line) for line in found if _LOG_LINE.match(line)]
    if len(marked) < _MIN_LINES:
        return None
    part = sum(marked) / sum(map(len, found))
    return f"{part:.0%} of the text stands in lines that begin as those of a log" if part > share else None


@rule("document")
def code_signs(
    text: str,
    settings: Settings,
    *,
    signs: Annotated[float, "share of brackets, equals signs, semicolons, bars and quoted names"] = 0.1,
    joining: Annotated[float, "share of joining words from which it passes"] = 0.25,
    joining_cjk: Annotated[float, "the same for Chinese"] = 0.08,
) -> str | None:
    """Data or code with next to nothing beside it: JSON, minified scripts, style sheets, markup."""
    seen = look(text)
    found = sum(map(seen.text.count, _SIGNS)) + 2 * seen.text.count(_QUOTED_NAME) - 2 * seen.text.count("==")
    share = found / seen.solid
    if share <= signs or seen.function_share >= (joining_cjk if seen.is_cjk else joining):
        return None
    return f"{share:.0%} of the characters are signs of code"


@rule("document")
def long_codes(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the text in strings of 45 and more letters, digits and signs"] = 0.3,
) -> str | None:
    """Strings without a blank, as of base64 or of addresses."""
    seen = look(text)
    if max(map(len, seen.chunks), default=0) < _CODE_LENGTH:
        return None
    part = sum(map(len, _CODE.findall(seen.text))) / seen.solid
    return f"{part:.0%} of the text stands in strings without a blank" if part > share else None


@rule("document", version=2)
def price_list(
    text: str,
    settings: Settings,
    *,
    prices: Annotated[float, "prices for each word"] = 0.06,
    joining: Annotated[float, "share of joining words from which it passes"] = 0.15,
    joining_cjk: Annotated[float, "the same for Chinese"] = 0.06,
) -> str | None:
    """Names of goods and their prices, with a currency or at the ends of lines, and few words that join others."""
    seen = look(text)
    found = max(len(_PRICE.findall(seen.text)), len(_LAST_NUMBER.findall(seen.text)))
    size = len(seen.words) / (2 if seen.is_cjk else 1)
    if found < _MIN_LINES or found < prices * size:
        return None
    if seen.function_share >= (joining_cjk if seen.is_cjk else joining):
        return None
    return f"{found} prices in {len(seen.words)} words"
