"""The crash protocol of one action: record the intent, make the call, record the result."""
