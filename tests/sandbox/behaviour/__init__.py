"""What the local AWS does as AWS does."""
