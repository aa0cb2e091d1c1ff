"""Which run belongs to this try of a task, and when it is aborted."""
