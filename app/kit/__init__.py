"""What every part of the product stands on: database, time, errors, HTTP, keys. Knows nothing of the rest."""
