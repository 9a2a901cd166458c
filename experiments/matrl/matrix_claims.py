"""Which of the paper's claims on small games hold, judged from a run's numbers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.matrl.matrix_config import Config

Row = dict[str, Any]
LEVEL = 0.05  # of the tests of rates, after Holm's correction


def claims(config: "Config", summary: dict[str, Any]) -> list[Row]:
    """Every claim that the run can judge: claim, paper, here, verdict."""
    rows: list[Row] = []
    for kind in config.classes:
        rows += [_sooner(summary, kind), _step_size(summary, kind)]
        rows += [_look_ahead(summary, kind), _gate(summary, kind)]
    rows.append(_pure(summary))
    rows += [_rotation(summary), _pennies(config, summary)]
    for kind in config.classes if config.sweep else ():
        if 1.0 in config.sweep:
            rows.append(_robust(summary, kind))
        rows += [_open(summary, kind), _best(summary, kind)]
    return rows


def _say(claim: str, paper: str, here: str, verdict: str) -> Row:
    return {"claim": claim, "paper": paper, "here": here, "verdict": verdict}


def _row(summary: dict[str, Any], kind: str, key: str) -> Row:
    return next(r for r in summary["table"] if (r["class"], r["key"]) == (kind, key))


def _pair(summary: dict[str, Any], kind: str, key: str) -> Row:
    return next(r for r in summary["paired"] if (r["class"], r["other"]) == (kind, key))


def _title(kind: str) -> str:
    return kind.replace("_c", "-c")


def _result(row: Row) -> str:
    steps = "-" if row["steps"] is None else f"{row['steps']:.1f}"
    return f"{row['rate']:.1f} % / {steps}"


def _published(summary: dict[str, Any], kind: str, keys: tuple[str, str]) -> str:
    published = [_row(summary, kind, key)["paper"] for key in keys]
    return " against ".join(f"{rate:g} % / {steps:g}" for rate, steps, _ in published)


def _below(pair: Row) -> bool:
    """MATRL is sooner, beyond chance."""
    return pair["high"] is not None and pair["high"] < 0


def _rates(pair: Row) -> str:
    """What the games say of which only one rule converged."""
    if pair["p_holm"] >= LEVEL:
        return "no difference in rates"
    return "more games" if pair["only_matrl"] > pair["only_other"] else "fewer games"


def _difference(pair: Row) -> str:
    text = f"{pair['difference']:.1f} steps"
    if pair["low"] is not None:
        text += f" [{pair['low']:.1f}, {pair['high']:.1f}]"
    return text


def _against(summary: dict[str, Any], kind: str, key: str) -> str:
    rows = [_result(_row(summary, kind, name)) for name in ("matrl", key)]
    pair = _pair(summary, kind, key)
    return (
        f"{' against '.join(rows)}; paired {_difference(pair)}; "
        f"only MATRL {pair['only_matrl']}, only the other {pair['only_other']} games"
    )


def _sooner(summary: dict[str, Any], kind: str) -> Row:
    pair = _pair(summary, kind, "iga")
    return _say(
        f"{_title(kind)}: MATRL converges sooner than IGA, each at the paper's step",
        _published(summary, kind, ("matrl", "iga")),
        _against(summary, kind, "iga"),
        "holds" if _below(pair) else "does not hold",
    )


def _step_size(summary: dict[str, Any], kind: str) -> Row:
    """How much of the saving is left against IGA with the best response's step."""
    pair, whole = _pair(summary, kind, "iga-beta"), _pair(summary, kind, "iga")
    verdict = "does not hold"
    if _below(pair) and whole["difference"] < 0:
        share = 100 * pair["difference"] / whole["difference"]
        verdict = f"{share:.0f} % of the saving is left: "
        verdict += "holds" if share >= 50 else "mostly the longer step"
    label = _row(summary, kind, "iga-beta")["label"]
    return _say(
        f"{_title(kind)}: and that is the meta-game's doing, not the step's ({label})",
        "no such control",
        _against(summary, kind, "iga-beta"),
        verdict,
    )


def _look_ahead(summary: dict[str, Any], kind: str) -> Row:
    pair = _pair(summary, kind, "la-beta")
    rates = _rates(pair)
    if _below(pair) and rates != "fewer games":
        verdict = "holds"
    elif rates == "fewer games":
        verdict = "does not hold: look-ahead converges in more games"
    else:
        verdict = f"does not hold: {rates}, not sooner"
    return _say(
        f"{_title(kind)}: MATRL beats IGA-LA (here: with MATRL's steps)",
        _published(summary, kind, ("matrl", "la")),
        _against(summary, kind, "la-beta"),
        verdict,
    )


def _gate(summary: dict[str, Any], kind: str) -> Row:
    pair = _pair(summary, kind, "random-rho")
    rates = _rates(pair)
    sooner = "sooner" if _below(pair) else "not sooner"
    holds = _below(pair) or rates == "more games"
    return _say(
        f"{_title(kind)}: the equilibrium matters (against a random gate)",
        "no such control",
        _against(summary, kind, "random-rho"),
        f"{'holds' if holds else 'does not hold'}: {sooner}, {rates}",
    )


def _pure(summary: dict[str, Any]) -> Row:
    rows = [row for row in summary["meta_games"] if row["meta_games"]]
    total = sum(row["meta_games"] for row in rows)
    share = sum(row["pure"] * row["meta_games"] for row in rows) / max(total, 1)
    verdict = "holds (for two players)" if share == 100 else "does not hold"
    return _say(
        "Remark 2: the meta-game always has a pure equilibrium",
        "stated for any number of players",
        f"{share:.3f} % of {total} meta-games at all step sizes",
        verdict if total else "no meta-games",
    )


def _rotation(summary: dict[str, Any]) -> Row:
    steps = {row["method"]: row["steps"] for row in summary["rotation"]}
    names = {"eg": "extra-gradient", "la": "look-ahead", "matrl": "MATRL"}
    words = [f"{name} {steps[key] or '> 1000'}" for key, name in names.items()]
    words += [f"w/o BR {steps['matrl-wo-br'] or '> 1000'}"]
    words += [f"gradient descent {steps['gd'] or '> 1000'}"]
    ours = steps["matrl"]
    rivals = [steps[key] for key in ("eg", "la") if steps[key] is not None]
    best = ours is not None and all(ours < step for step in rivals)
    return _say(
        "Figure 3: MATRL is the fastest on the rotational game",
        "fastest curve",
        "steps to norm .01 at one rate: " + ", ".join(words),
        "holds" if best else "does not hold at one rate",
    )


def _pennies(config: "Config", summary: dict[str, Any]) -> Row:
    steps_of: dict[str, list[int | None]] = {}
    for row in summary["pennies"]:
        if row["step"] is not None:
            steps_of.setdefault(row["label"], []).append(row["stays"])
    text = "; ".join(
        f"{label} " + ", ".join("never" if s is None else str(s) for s in steps)
        for label, steps in steps_of.items()
    )
    holds = (
        all(step is None for step in steps_of["IGA"]) and None not in steps_of["MATRL"]
    )
    same = steps_of["MATRL"] == steps_of["IGA-LA"]
    verdict = "holds" if holds else "does not hold"
    return _say(
        "matching pennies: MATRL converges where IGA circles",
        "drawn in Figure 7, no number",
        f"steps until it stays at .02, .03, .1 of {config.pennies_steps}: {text}",
        verdict + ("; look-ahead takes the same steps" if same else ""),
    )


_RIVALS = ("iga", "iga-matched", "la", "la-projected", "random-rho", "matrl-wo-br")


def _swept(summary: dict[str, Any], kind: str, key: str) -> list[Row]:
    rows = summary["sweep"]
    return [row for row in rows if (row["class"], row["key"]) == (kind, key)]


def _stays(row: Row) -> str:
    return f"{row['label']} {row['stays_rate']:.1f} %"


def _clear(ours: Row, rivals: list[Row]) -> str:
    """Against whom MATRL's interval lies above theirs."""
    below = [row for row in rivals if row["stays_rate_high"] < ours["stays_rate_low"]]
    if len(below) == len(rivals):
        return "holds against every control"
    named = "; ".join(row["label"] for row in below)
    return f"holds against {named}" if below else "does not hold"


def _robust(summary: dict[str, Any], kind: str) -> Row:
    at = {
        key: next(row for row in _swept(summary, kind, key) if row["step"] == 1)
        for key in ("matrl", *_RIVALS)
    }
    return _say(
        f"{_title(kind)} (ours): with step 1 for all, MATRL stays converged more often",
        "not tried",
        "; ".join(map(_stays, at.values())),
        _clear(at["matrl"], [at[key] for key in _RIVALS]),
    )


def _open(summary: dict[str, Any], kind: str) -> Row:
    """Where MATRL differs from its gate left open, which is look-ahead."""
    differ = []
    keys = ("matrl", "la-projected")
    pairs = zip(*(_swept(summary, kind, key) for key in keys), strict=True)
    for ours, theirs in pairs:
        low = max(ours["stays_rate_low"], theirs["stays_rate_low"])
        if low > min(ours["stays_rate_high"], theirs["stays_rate_high"]):
            rates = f"{ours['stays_rate']:.1f} % against {theirs['stays_rate']:.1f} %"
            differ.append(f"step {ours['step']:g}: {rates}")
    return _say(
        f"{_title(kind)} (ours): the gate changes how many games stay, compared with "
        "always switching (projected look-ahead)",
        "no such control",
        "; ".join(differ) or "intervals overlap at every step",
        "holds at these steps only" if differ else "does not hold",
    )


def _best(summary: dict[str, Any], kind: str) -> Row:
    best = {
        key: max(_swept(summary, kind, key), key=lambda row: row["stays_rate"])
        for key in ("matrl", *_RIVALS)
    }
    words = [f"{_stays(row)} (step {row['step']:g})" for row in best.values()]
    return _say(
        f"{_title(kind)} (ours): with everyone at its best step of the sweep, MATRL "
        "stays converged more often",
        "not tried",
        "; ".join(words),
        _clear(best["matrl"], [best[key] for key in _RIVALS]),
    )
