"""The door to the car: what a box reports, and the commands it takes."""
