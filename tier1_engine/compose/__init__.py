"""Assembles a working engine. The only package that knows both the engine and AWS."""
