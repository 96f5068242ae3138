"""Where a row came from and what came out of it: the audit of one row, and all that descends from it."""

from persona_assets.lineage.audit import audit
from persona_assets.lineage.descendants import Descendant, descendants
from persona_assets.lineage.model import Audit, CallRecord, Node, Status, Verification

__all__ = ["Audit", "CallRecord", "Descendant", "Node", "Status", "Verification", "audit", "descendants"]
