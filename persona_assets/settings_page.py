"""The page docs/settings.md: `python -m persona_assets.settings_page` writes it anew from the settings."""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from persona_assets.graph import Asset, assets
from persona_assets.rules.registry import Rule, rules
from persona_assets.settings import PREFIX, WORDS, Settings, load_settings, shapes_of

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
_HEAD = """# Settings

<!-- Written by `python -m persona_assets.settings_page`; edit persona_assets/settings.py instead. -->

Every setting is an environment variable. Lists are separated by commas. A variable that is unknown or ill typed is an
error that lists what exists.

*Rows of* names the assets whose rows a setting shapes: it is in their recipe, and a changed value makes their
partitions stale. *Gates of* names the assets whose gates it is a threshold of: a changed value has them checked again.
All others can be changed at any time.

| variable | default | what it is | rows of | gates of |
| --- | --- | --- | --- | --- |
"""


_RULES = """
## PERSONA_QUALITY

Rules of documents in the order in which they judge, with their thresholds. `PERSONA_QUALITY=menu=off,stuffed.share=0.3`
turns one off and sets another's threshold. What they are for is in [crawl.md](crawl.md).

| rule | refuses | threshold | default | what it is |
| --- | --- | --- | --- | --- |
"""


def settings_page() -> str:
    """The page, in Markdown."""
    declared = assets(load_settings(tasks=None, models=None, targets={}, quality={}))
    head = _HEAD + "".join(_row(name, field, declared) for name, field in Settings.model_fields.items())
    return head + _RULES + "".join(_rule_rows(one) for one in rules("document").values() if one.is_ours)


def _rule_rows(rule: Rule) -> str:
    """A line for each threshold, or one for a rule that has none of its own."""
    rows = [(f"`{name}`", f"`{default}`", told) for name, (default, told) in rule.thresholds.items()]
    return "".join(
        _line((f"`{rule.name}`", rule.description.rstrip(".")) if number == 0 else ("", ""), cells)
        for number, cells in enumerate(rows or [("", "", "")])
    )


def _line(*parts: Collection[str]) -> str:
    cells = [cell.replace("|", chr(92) + "|") for part in parts for cell in part]
    return f"| {' | '.join(cells)} |\n"


def _row(name: str, field: FieldInfo, declared: Mapping[str, Asset]) -> str:
    default = _shown(field.get_default(call_default_factory=True))
    gated = [asset.name for asset in declared.values() if name in asset.gate_settings]
    asking = [asset.name for asset in declared.values() if asset.step]
    if set(asking) <= set(gated):
        gated = [asset for asset in gated if asset not in asking] + ["asking"]
    cells = (
        f"`{PREFIX}{name.upper()}`",
        f"`{default}`" if default else "",
        _description(field),
        _names(sorted(shapes_of(name), key=[*declared, *WORDS].index)),
        _names(gated),
    )
    return _line(cells)


def _description(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    told = str(field.description)
    return told if all(choice in told for choice in choices) else f"{told}: {', '.join(choices)}"


def _names(names: Collection[str]) -> str:
    return ", ".join(WORDS.get(name, f"`{name}`") for name in names)


def _shown(default: Any) -> str:  # noqa: ANN401 - of any setting
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if isinstance(default, SecretStr | dict | None) else str(default)


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} written\n")
