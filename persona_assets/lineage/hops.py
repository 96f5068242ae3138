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

_PERSONA_HOPS: dict[str, Hop] = {EXTRACTED_PERSONAS.name: ExtractHop(), EXPANDED_PERSONAS.name: ExpandHop()}


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

    def hop_for(self, table: str, asked: Template) -> Hop:
        """The hop that writes this table, for a template as the ledger keeps it.

        Raises:
            UsageError: no hop of this installation does.
        """
        if table in _PERSONA_HOPS:
            return _PERSONA_HOPS[table]
        if table not in self.tasks:
            raise UsageError(f"no hop writes {table}: its task file is not in the folder that PERSONA_TASKS names")
        return TaskHop(asked if self.changed_since(table, asked) else self.tasks[table])

    def changed_since(self, table: str, asked: Template) -> str:
        """Why answers cannot be refused as they were; "" where they can.

        The ledger keeps a task's prompt and response schema, from which its rows follow, but not its validity rules. A
        persona hop's rules do not stand in its template.
        """
        if table not in self.tasks or self.tasks[table].digest == asked.digest:
            return ""
        return (
            f"the task file of {table} has changed since: version {asked.version} then, {self.tasks[table].version} now"
        )
