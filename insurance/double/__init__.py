"""A stand-in for an insurer's API, for demo and tests."""
