"""What the local server answers, a file for each service."""
