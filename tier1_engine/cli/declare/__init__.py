"""Options and help texts; loads nothing that a command does not need."""
