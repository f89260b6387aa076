"""The door to people's phones and mail boxes: what we say, and how it reaches them."""
