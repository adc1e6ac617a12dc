"""What an error means: each code in one list, each row of the failure table once."""
