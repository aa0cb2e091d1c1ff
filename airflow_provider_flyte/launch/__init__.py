"""One execution of the operator: find the run of its try or launch it, then wait for it."""
