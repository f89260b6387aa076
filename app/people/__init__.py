"""People: accounts, sessions, phones, licences, accepted conditions."""
