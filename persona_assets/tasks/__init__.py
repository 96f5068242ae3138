"""Task types (Persona Hub, section 4): YAML files, their validity rules, and the one step that runs any of them."""
