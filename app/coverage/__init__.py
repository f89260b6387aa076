"""Coverage: covers that follow custody, master policies, and what insurers may ask."""
