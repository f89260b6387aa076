"""The door to money: what a rental costs, who gets which share, and what we ask of a payment provider."""
