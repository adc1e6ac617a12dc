"""The domain model: states, transitions, the record, the plan."""
