"""The ports at which the local server listens."""
