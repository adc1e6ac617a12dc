"""The crash protocol of one action: intent, call, recorded result."""
