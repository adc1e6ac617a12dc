"""The user data that an instance runs at its first boot."""
