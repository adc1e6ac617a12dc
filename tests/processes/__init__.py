"""Tests with real processes that are killed, cut off, frozen, interrupted or refused."""
