"""A box of our own: speaks like OVMS v3, sits in a car that drives, and shares no code with the driver."""
