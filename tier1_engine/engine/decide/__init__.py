"""Pure decisions: what to do next, given the record, the target state and the time."""
