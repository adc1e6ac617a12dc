"""Finds and deletes abandoned deployments, orphans and duplicates."""
