"""Runs `tier1` as `python -m tier1_engine.cli`, where the command is not installed."""

from tier1_engine.cli.main import main

main()
