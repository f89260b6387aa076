"""Measurements: each figure beside a limit or a peer of the same run."""
