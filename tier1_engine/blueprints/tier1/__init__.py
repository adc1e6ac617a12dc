"""The Tier 1 stack: its spec, its plan, and the checks before anything is created."""
