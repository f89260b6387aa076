"""Cars: the vehicle, its box, windows, terms, occupancy, custody and readings."""
