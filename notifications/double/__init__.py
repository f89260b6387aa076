"""A stand-in for Firebase Cloud Messaging and for a mail server, for demo and tests."""
