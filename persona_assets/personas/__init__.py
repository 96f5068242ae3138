"""Personas: read from documents, reached through relations, filtered (Persona Hub, sections 2.1 to 2.3)."""
