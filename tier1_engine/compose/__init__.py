"""Builds a working engine: the only package that knows both the engine and AWS."""
