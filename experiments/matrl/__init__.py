"""Pages on MATRL: grid worlds, 2 x 2 games, step sizes, robots, Pong, and costs."""

__all__ = ["control", "cost", "grid", "matrix", "pong", "steps"]
