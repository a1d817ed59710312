"""Which ratings train, validate and test."""
