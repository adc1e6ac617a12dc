"""What a plug-in implements: kinds, checks, blueprints."""
