"""A stored Flyte connection becomes a client's settings: its fields, its reader, its Test button."""
