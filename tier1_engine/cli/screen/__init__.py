"""What an operator sees: messages, prompts, progress, the summary."""
