"""Classifies errors: lists each error code once, and holds the table of failures."""
