"""NeuPL-JPSRO with learned teachers beside separate networks, and its controls."""
