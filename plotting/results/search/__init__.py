"""What a search left."""
