"""What every page shares: its command line, run folder, work, statistics and report."""
