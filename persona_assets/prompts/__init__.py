"""Every model-facing text: YAML files with a version, messages, a response schema and the offline phrasing."""

from persona_assets.prompts.load import load_template, load_templates
from persona_assets.prompts.template import Message, Template

__all__ = ["Message", "Template", "load_template", "load_templates"]
