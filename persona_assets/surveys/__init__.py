"""Surveys of personas: what a file declares, who is asked, and what the answers come to. Asks no model itself."""
