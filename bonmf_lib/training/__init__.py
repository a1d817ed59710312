"""The training loop, and the search of settings around it."""
