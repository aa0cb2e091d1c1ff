"""Requests to Flyte without I/O: what is asked, and how the answer is read."""
