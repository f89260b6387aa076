"""Operators: the same functions behind the command line and /v1/operator."""
