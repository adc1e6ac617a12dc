"""The nouns: states, transitions, the record, the plan."""
