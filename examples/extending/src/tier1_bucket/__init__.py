"""An S3 bucket for tier1: one kind, one check, one blueprint."""
