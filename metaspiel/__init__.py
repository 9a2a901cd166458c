"""metaspiel."""
