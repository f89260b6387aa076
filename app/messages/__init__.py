"""Messages: what people are told about facts."""
