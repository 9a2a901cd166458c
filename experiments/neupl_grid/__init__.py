"""NeuPL-JPSRO beside JPSRO: exact games, ablations and controls."""
