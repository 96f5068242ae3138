"""Which hop wrote a table, and whether this installation still asks what the ledger says was asked."""

from dataclasses import dataclass, field

from persona_assets.engines.hop import Hop
from persona_assets.errors import UsageError
from persona_assets.lake import Table
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS
from persona_assets.personas.expand import ExpandHop
from persona_assets.personas.extract import ExtractHop
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.tasks.hop import TaskHop, load_tasks, task_table


@dataclass(frozen=True)
class Hops:
    """The generating hops of this installation by the table they write."""

    tasks: dict[str, Template] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Hops":
        """With the task files of the package and of the folder that the settings name."""
        return cls(dict(load_tasks(settings)))

    @property
    def task_tables(self) -> list[Table]:
        """The tables of the task assets."""
        return [task_table(template) for template in self.tasks.values()]

    def hop_for(self, table: str) -> Hop:
        """The hop that writes this table.

        Raises:
            UsageError: no hop of this installation does.
        """
        if table == EXTRACTED_PERSONAS.name:
            return ExtractHop()
        if table == EXPANDED_PERSONAS.name:
            return ExpandHop()
        if table in self.tasks:
            return TaskHop(self.tasks[table])
        raise UsageError(f"no hop writes {table}: its task file is not in the folder that PERSONA_TASKS names")

    def changed_since(self, table: str, template_digest: str) -> str:
        """Why answers cannot be parsed as they were; "" where they can.

        A persona hop parses without its template. A task's rules and columns stand in its file, of which the ledger
        keeps the prompt part only, so a changed file may parse differently.
        """
        if table not in self.tasks or self.tasks[table].digest == template_digest:
            return ""
        return f"the task file {table} has changed since (version {self.tasks[table].version} now)"
