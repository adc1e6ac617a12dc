"""Renders results. The only package that uses rich."""
