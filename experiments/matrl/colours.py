"""Colours of the methods, the same in every figure of this wing."""

COLOURS = {
    "il": "#4477aa",
    "il-matched": "#66ccee",
    "il-la": "#228833",
    "matrl": "#cc3311",
    "matrl-wo-br": "#ee99aa",
    "random-rho": "#aa7700",
    "il-six-rows": "#777777",
    "vdn": "#a8336e",
    "qmix": "#6355c4",
    "qtran": "#44aa99",
    "maddpg": "#999933",
    "matrl-held-out": "currentColor",
    "matrl-distill": "#bb5566",
}
