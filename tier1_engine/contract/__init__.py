"""The interfaces that plug-ins implement: kinds, checks, blueprints."""
