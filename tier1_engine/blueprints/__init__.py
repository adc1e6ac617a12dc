"""Blueprints turn a spec into a `Plan`: one package each, with one class."""
