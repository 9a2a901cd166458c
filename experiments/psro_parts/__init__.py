"""What a PSRO run is asked for and made of, for all pages that make such runs."""
