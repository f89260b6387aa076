"""Account: what a person may have of us as such: all that is kept of them, and to be forgotten."""
