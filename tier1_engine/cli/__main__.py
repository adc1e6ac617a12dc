"""`python -m tier1_engine.cli`, for where the command is not installed."""

from tier1_engine.cli.main import main

main()
