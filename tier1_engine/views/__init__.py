"""How deployments and their costs are presented to people and programs."""
