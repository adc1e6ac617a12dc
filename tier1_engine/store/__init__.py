"""The only package that queries the database."""
