"""Many runs, one poll, one stream."""
