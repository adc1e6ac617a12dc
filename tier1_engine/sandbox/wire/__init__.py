"""AWS's wire formats: requests, replies, error codes."""
