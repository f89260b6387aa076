"""Rentals: from request to settlement."""
