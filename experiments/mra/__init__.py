"""MRA, agents that carry over to other population sizes: training, adaptation, grid."""
