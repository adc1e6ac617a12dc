"""Tests that the local AWS behaves like AWS."""
