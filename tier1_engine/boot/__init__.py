"""What an instance runs at its first boot."""
