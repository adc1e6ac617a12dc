"""Declares options and help texts, and imports only what a command needs."""
