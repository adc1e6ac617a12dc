"""What a spec is turned into: one module per blueprint, each with one class that makes a `Plan`."""
