"""Everything printed for the operator: messages, prompts, progress, the summary."""
