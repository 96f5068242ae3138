"""Recipes: what shaped the rows of a partition, beside the rows that it was made from, as named parts.

A part is there where it shapes something:

| part | holds |
| --- | --- |
| `schema` | column names and types |
| `code` | version of the code that shapes the rows |
| `settings` | settings that shape rows, by name |
| `prompt`, `repair` | digests of the templates |
| `model`, `sampling` | who answers, in which revision, and how it draws |
| `rules` | validity rules in order, with arguments and versions; or rules of installed packages |
| `systems` | who answers, and how, where values of `over` do |
| `target`, `order` | accepted rows to stop at, and the version of the order in which rows are taken |
| `benchmarks` | the rule by which rows are held to benchmarks, and digests of their files, by name |
| `formats` | digests of the readers of installed packages, by ending |
| others | digests of packaged data, as `taxonomy` |

Prices, addresses, keys, timeouts, limits of memory and the like shape no row and are not part of it.
"""

from collections.abc import Mapping

from persona_assets.ids import Json, canonical_json, digest

Recipe = dict[str, Json]
_LONGEST = 40  # characters of a value that are shown
_MISSING = object()


def recipe_digest(recipe: Recipe) -> str:
    """The digest that a partition's record keeps."""
    return digest(canonical_json(recipe))


def changes(old: Recipe, new: Recipe) -> list[str]:
    """What differs between two recipes, in words: `setting hops: 2, now 3`, `prompt`, `model: small, now large`."""
    said: list[str] = []
    for part in dict.fromkeys([*new, *old]):
        before, after = old.get(part, _MISSING), new.get(part, _MISSING)
        if before == after:
            continue
        if part == "code":
            said.append(f"code: {_now(before, after, 'version ')}")
        elif part == "order":
            said += ["order in which rows are taken"] if old.get("target") == new.get("target") else []
        elif part == "target":
            said.append(f"target: {_now(before, after)}")
        elif isinstance(before, str) or isinstance(after, str):
            said.append(part)  # a digest, which tells nobody anything
        elif part == "rules":
            said += _rules(*([] if rules is _MISSING else rules for rules in (before, after)))
        elif part == "formats":
            said += _formats(*({} if formats is _MISSING else formats for formats in (before, after)))
        elif part == "benchmarks":
            said += _benchmarks(*({} if held is _MISSING else held for held in (before, after)))
        elif isinstance(before, Mapping) or isinstance(after, Mapping):
            said += _values(part, *({} if values is _MISSING else values for values in (before, after)))
        else:
            said.append(part)
    return said


def _values(part: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    named = {"settings": "setting {}", "schema": "column {}", "sampling": "{}", "model": "model {}"}.get(part, part)
    pairs = {name: (before.get(name, _MISSING), after.get(name, _MISSING)) for name in dict.fromkeys([*after, *before])}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if part == "model" and "model" in differing:  # another model has another revision: that says no more
        return [f"model: {_now(*differing['model'])}"]
    if part == "model" and "revision" in differing and all(map(_is_digest, differing["revision"])):
        return ["model revision"]
    return [f"{named.format(name)}: {_now(*pair)}" for name, pair in differing.items()]


def _rules(before: list[Json], after: list[Json]) -> list[str]:
    """Rules are told apart by name and arguments, as one rule may stand there for two fields."""
    old, new = ({(rule["rule"], canonical_json(rule["args"])): rule for rule in rules} for rules in (before, after))
    raised = [
        f"rule {key[0]}: {_versions(old[key]['version'], rule['version'])}"
        for key, rule in new.items()
        if key in old and old[key]["version"] != rule["version"]
    ]
    gone = [rule for key, rule in old.items() if key not in new]
    come = [rule for key, rule in new.items() if key not in old]
    said = raised + _pairs(gone, come)
    return said or ["order of the rules"]


def _versions(before: Json, after: Json) -> str:
    return "its file changed" if _is_digest(before) and _is_digest(after) else _now(before, after, "version ")


def _formats(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    """Digests of files, which tell nobody anything."""
    said = [f"format {ending}: new" for ending in after if ending not in before]
    said += [f"format {ending}: removed" for ending in before if ending not in after]
    return said + [f"format {one}: its file changed" for one in after if before.get(one, after[one]) != after[one]]


def _benchmarks(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    """Digests of files again, and the version of the rule where both have one."""
    old, new = before.get("files", {}), after.get("files", {})
    said = [f"benchmark {name}: new" for name in new if name not in old]
    said += [f"benchmark {name}: removed" for name in old if name not in new]
    said += [f"benchmark {name}: its file changed" for name in new if old.get(name, new[name]) != new[name]]
    raised = before and after and before["version"] != after["version"]
    return said + ([f"rule of benchmarks: {_now(before['version'], after['version'], 'version ')}"] if raised else [])


def _pairs(gone: list[Json], come: list[Json]) -> list[str]:
    """A rule that went and one of its name that came are one rule with other arguments."""
    said = []
    for rule in come:
        same = next((one for one in gone if one["rule"] == rule["rule"]), None)
        if same is None:
            said.append(f"rule {rule['rule']}: new")
        else:
            gone.remove(same)
            said.append(f"rule {rule['rule']}: {_now(_arguments(same), _arguments(rule))}")
    return said + [f"rule {rule['rule']}: removed" for rule in gone]


def _arguments(rule: Json) -> str:
    return " ".join(f"{name} {value}" for name, value in rule["args"].items()) or "no arguments"


def _now(before: Json, after: Json, kind: str = "") -> str:
    if before is _MISSING:
        return f"new, {kind}{_shown(after)}"
    if after is _MISSING:
        return f"removed, was {kind}{_shown(before)}"
    return f"{kind}{_shown(before)}, now {_shown(after)}"


def _shown(value: Json) -> str:
    if isinstance(value, list):
        text = ",".join(map(str, value))
    elif isinstance(value, bool):
        text = str(value).lower()
    elif value is None:
        text = "none"
    else:
        text = str(value) or "empty"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _is_digest(value: Json) -> bool:
    return isinstance(value, str) and len(value) >= 32 and all(digit in "0123456789abcdef" for digit in value)
