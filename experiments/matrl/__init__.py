"""Pages on MATRL: grid worlds, 2 x 2 games, step sizes, robots, Pong, and costs."""
