"""Colours of the methods, the same in every figure of this wing."""

COLOURS = {
    "il": "#4477aa",
    "il-matched": "#66ccee",
    "il-la": "#228833",
    "matrl": "#cc3311",
    "matrl-wo-br": "#ee99aa",
    "random-rho": "#aa7700",
    "il-six-rows": "#777777",
    "vdn": "#882255",
    "qmix": "#332288",
    "qtran": "#44aa99",
    "maddpg": "#999933",
    "matrl-held-out": "#000000",
    "matrl-distill": "#bb5566",
}
