"""The door to insurers: which cover counts, what they are told, and the proof a driver carries."""
