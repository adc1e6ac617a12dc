"""Real processes of `tier1`, the proxy before their AWS, and what is done to them."""
