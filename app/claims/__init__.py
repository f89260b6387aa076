"""What comes after a rental: charge requests with their hearing, letters that hand a fine over."""
