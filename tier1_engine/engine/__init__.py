"""Drives deployments: decides what to do next, and does it by the crash protocol."""
