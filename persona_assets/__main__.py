"""`python -m persona_assets` is `persona-assets`."""

from persona_assets.cli.app import main

main()
