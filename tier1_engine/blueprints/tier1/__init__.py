"""The Tier 1 stack: its spec, its plan, and what is checked before anything is made."""
