"""Persona-to-persona: who stands in a relation to a persona, up to six hops away (Persona Hub, section 2.2)."""

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import polars as pl

from persona_assets.ids import Json
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS
from persona_assets.personas.echo import ECHO, overlap, without_echoes
from persona_assets.personas.extract import normalise, persona_id
from persona_assets.personas.form import form_of
from persona_assets.personas.novelty import Novelty
from persona_assets.personas.rules import reject_reason
from persona_assets.personas.taxonomy import offer
from persona_assets.prompts import Template, load_template
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Context, Outcome, Parsed, Reject, Report, StepRunner, write_outcomes
from persona_assets.text.language import LANGUAGE_NAMES

ROWS = 8192  # personas looked at, or collected as Python objects, at once

# A persona whose relations are followed. `seed_id` is the extracted persona it descends from (itself at hop 0),
# `ancestors` the texts above it, from the seed down.
FRONTIER = pl.Schema(
    {
        "persona_id": pl.String(),
        "document_id": pl.String(),
        "text": pl.String(),
        "language": pl.String(),
        "granularity": pl.String(),
        "seed_id": pl.String(),
        "ancestors": pl.List(pl.String()),
    }
)


class ExpandStep:
    """Asks one question per persona and relation; its answer holds one persona."""

    @property
    def table(self) -> Table:
        """The table it writes."""
        return EXPANDED_PERSONAS

    @cached_property
    def template(self) -> Template:
        """What it asks."""
        return load_template(PROMPTS / "persona_to_persona.yaml")

    @property
    def mends(self) -> bool:
        """No rule looks at an answer: those of personas judge the rows."""
        return False

    @property
    def turns(self) -> tuple[Template, ...]:
        """The one turn."""
        return (self.template,)

    def variables(self, ask: Ask, before: Sequence[Json] = ()) -> dict[str, Json]:
        """The template's variables; the relation's wording is in the fill, so a new taxonomy changes no old prompt."""
        return {
            "persona": ask.row["text"],
            "language_name": LANGUAGE_NAMES.get(ask.fill["language"], ask.fill["language"]),
            "relation": ask.fill["relation"],
            "relation_description": ask.fill["relation_description"],
            "with_others": "others" in ask.fill,
            "other_relations": "\n".join(f"{name}: {text}" for name, text in ask.fill.get("others", ())),
            "form": ask.fill.get("form", ""),
        }

    def parse(self, ask: Ask, answer: Json, before: Sequence[Json] = ()) -> Parsed:
        """The persona of the answer, or a reject: `relation_not_asked`, `empty`, `echo_of_parent`.

        It stands in the relation that the answer names: the one asked for, or one of the others that were offered.
        """
        relation, text = _relation(answer.get("relation")) or ask.fill["relation"], normalise(answer["persona"])
        if relation not in (ask.fill["relation"], *(name for name, _ in ask.fill.get("others", ()))):
            return Parsed(rejects=[Reject("relation_not_asked", f"{relation}: {text}")])
        if not text:
            return Parsed(rejects=[Reject("empty", f"{relation}: only white space")])
        similarity = overlap(text, ask.row["text"])
        if similarity >= ECHO:
            return Parsed(rejects=[Reject("echo_of_parent", f"{relation}, Jaccard {similarity:.2f}: {text}")])
        parent_id, document_id = ask.row["persona_id"], ask.row["document_id"]
        row = {
            "persona_id": persona_id(document_id, parent_id, relation, text),
            "document_id": document_id,
            "parent_persona_id": parent_id,
            "relation": relation,
            "hop": ask.fill["hop"],
            "text": text,
            "language": ask.fill["language"],
            "granularity": ask.row["granularity"],
        }
        return Parsed(rows=[row])


def _relation(name: str | None) -> str:
    """A relation's name as a model may write it."""
    return "_".join((name or "").lower().replace("-", " ").split())


def expand_personas(context: Context, shard: str) -> Report:
    """Write a shard's `expanded_personas`, all hops in one partition, and what was set aside.

    `inputs` are questions, and personas that were refused as parents; `extra` holds `over_cap`, the questions that the
    cap per seed kept from being asked, and `kept_by_hop`. Holds the personas of one hop in memory, without their calls.
    Where a hop's share of new personas (`Novelty`) is below the setting `min_novelty`, it is the last one; `extra` then
    holds `new_by_hop`.

    Raises:
        PersonaAssetsError: the shard's extracted personas are not there.
        EngineUnavailable: no answer can be had; what was answered is kept.
    """
    context.lake.require(EXTRACTED_PERSONAS, shard)
    runner = StepRunner(ExpandStep(), context, shard)
    return write_outcomes(runner, _expand(runner))


def _expand(runner: StepRunner) -> Iterator[Outcome]:
    """What became of every question of every hop; a hop is planned when the one before it is known."""
    settings, extra = runner.context.settings, runner.report.extra
    extra |= {"over_cap": 0, "kept_by_hop": {}}
    parents = seed_frontier(runner.context.lake, runner.shard)
    left = parents.select("seed_id", left=pl.lit(settings.max_expanded_per_seed, pl.Int64()))
    novelty = Novelty() if settings.min_novelty else None
    if novelty:
        extra["new_by_hop"] = {}
        novelty.add(parents)
    for hop in range(1, settings.hops + 1):
        parents, refused = eligible_parents(parents.join(left.filter(pl.col("left") > 0), on="seed_id", how="semi"))
        yield from refused
        plan, over_cap = plan_questions(parents, hop, settings, left)
        extra["over_cap"] += over_cap
        if plan.is_empty():
            return
        left = spend(left, plan)
        children = Children()
        for outcome in without_echoes(runner.run(partial(expansion_asks, plan, hop), plan.height)):
            children.add(outcome)
            yield outcome
        parents = children.frame()
        extra["kept_by_hop"][str(hop)] = parents.height
        if novelty and (share := novelty.add(parents)) is not None:
            extra["new_by_hop"][str(hop)] = round(share, 4)
            if share < settings.min_novelty:
                return


def plan_questions(parents: pl.DataFrame, hop: int, settings: Settings, left: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """One row per question of a hop, and how many the cap leaves out.

    `parents` has the columns of `FRONTIER`, `left` (`seed_id`, `left`) says how many questions a seed still has. Where
    they do not suffice, first choices go before second ones, then by persona id, a digest: order of arrival is nothing.
    """
    fanout = settings.fanout[min(hop, len(settings.fanout)) - 1]
    asked = (
        _choices(parents["persona_id"], hop, fanout, settings.relation_candidates)
        .join(parents, on="persona_id")
        .join(left, on="seed_id")
        .sort("rank", "persona_id")
        .with_columns(place=pl.int_range(pl.len()).over("seed_id"))
    )
    kept = asked.filter(pl.col("place") < pl.col("left"))
    return kept.drop("place", "left").sort("persona_id", "rank"), asked.height - kept.height


def _choices(persona_ids: pl.Series, hop: int, fanout: int, candidates: int) -> pl.DataFrame:
    """What each persona is asked for: `persona_id`, `rank` (from 0), `relation`, `relation_description`, `others`.

    The others are offered where the relation does not fit, each by name and description.
    """
    flat = [
        (key, rank, drawn.slug, drawn.description, [[other.slug, other.description] for other in others])
        for key in persona_ids
        for rank, (drawn, *others) in enumerate(offer(key, hop, fanout, candidates))
    ]
    keys, ranks, slugs, descriptions, offered = zip(*flat, strict=True) if flat else ((), (), (), (), ())
    return pl.DataFrame(
        {
            "persona_id": pl.Series(keys, dtype=pl.String),
            "rank": pl.Series(ranks, dtype=pl.Int64),
            "relation": pl.Series(slugs, dtype=pl.String),
            "relation_description": pl.Series(descriptions, dtype=pl.String),
            "others": pl.Series(offered, dtype=pl.List(pl.List(pl.String))),
        }
    )


def seed_frontier(lake: Lake, shard: str) -> pl.DataFrame:
    """The extracted personas of a shard as parents, in the columns of `FRONTIER`."""
    columns = ["persona_id", "document_id", "text", "language", "granularity"]
    extracted = lake.scan(EXTRACTED_PERSONAS, [shard]).select(
        *columns, seed_id="persona_id", ancestors=pl.lit([], pl.List(pl.String()))
    )
    return extracted.select(FRONTIER.names()).collect()


def eligible_parents(parents: pl.DataFrame) -> tuple[pl.DataFrame, list[Outcome]]:
    """The parents that the filter's row rules let pass, by id, and the others as outcomes: junk is not worth a call."""
    parents = parents.sort("persona_id")
    parts = [reject_reason(part) for part in parents.iter_slices(ROWS)]
    if not parts:
        return parents, []
    judged = pl.concat(parts)
    refused = judged.filter(pl.col("reason").is_not_null()).select("persona_id", "reason", "detail")
    outcomes = [
        Outcome(
            Ask({"persona_id": row["persona_id"]}, {}, 0, ((EXTRACTED_PERSONAS.name, row["persona_id"]),)),
            None,
            Parsed(rejects=[Reject("parent_not_eligible", f"{row['reason']}: {row['detail']}")]),
        )
        for row in refused.iter_rows(named=True)
    ]
    return judged.filter(pl.col("reason").is_null()).drop("reason", "detail"), outcomes


def spend(left: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
    """The questions that each seed has left (`seed_id`, `left`) after those of a plan."""
    spent = plan.group_by("seed_id").agg(spent=pl.len().cast(pl.Int64))
    joined = left.join(spent, on="seed_id", how="left")
    return joined.select("seed_id", left=pl.col("left") - pl.col("spent").fill_null(0))


def expansion_asks(plan: pl.DataFrame, hop: int) -> Iterator[Ask]:
    """The questions of a hop's plan, those about one persona together and in the order of choice."""
    parents = EXTRACTED_PERSONAS.name if hop == 1 else EXPANDED_PERSONAS.name
    for row in plan.iter_rows(named=True):
        fill = {name: row[name] for name in ("relation", "relation_description", "language", "others") if row[name]}
        form = form_of(row["text"], row["relation"])
        yield Ask(row, {**fill, "form": form, "hop": hop}, 0, ((parents, row["persona_id"]),))


class Children:
    """The personas that a hop gives, as the parents of the next one; those of documents are seeds."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._rows: list[dict[str, Any]] = []

    def add(self, outcome: Outcome) -> None:
        """Take what came of one question."""
        parent = outcome.ask.row
        above = [*parent["ancestors"], parent["text"]] if "seed_id" in parent else []
        for row in outcome.parsed.rows:
            lineage = {"seed_id": parent.get("seed_id", row["persona_id"]), "ancestors": above}
            self._rows.append({name: row[name] for name in FRONTIER if name in row} | lineage)
        if len(self._rows) >= ROWS:
            self._flush()

    def frame(self) -> pl.DataFrame:
        """All of them, in the columns of `FRONTIER`."""
        self._flush()
        return pl.concat(self._frames)

    def _flush(self) -> None:
        self._frames.append(pl.DataFrame(self._rows, schema=FRONTIER))
        self._rows = []
