"""One task that waits for runs, on a worker or in the triggerer; and a trigger that watches runs for assets."""
