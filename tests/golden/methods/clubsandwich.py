"""R clubSandwich: cluster-robust errors and Satterthwaite degrees of freedom, on cluster sums of transformed designs.

CR3 has no factor (G−1)/G there; df are those of each type's own adjustment, under a working covariance of 1/weight.
The Wald tests use evalkit's CR2 covariance; HTZ is `joint.joint_test`.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

from evalkit.did import joint, linalg
from evalkit.did.cells import within
from evalkit.did.linalg import Regression
from evalkit.did.poisson import fit_poisson
from tests.golden.agreement import covers


def system_of(model, data, cluster="own"):
    """Cluster sums of a named model and the names of its first coefficients; cluster "row": every row its own."""
    y, x, unit, names, kind, weight = design_of(model, data)
    absorbed = kind in ("twfe", "within", "twoways")
    inner, response = (within(x, unit), within(y, unit)) if absorbed else (x, y)
    params = {"twfe": x.shape[1] + unit.max() + 1}.get(kind, len(names))
    return _system(inner, response, unit if cluster == "own" else np.arange(len(y)), params, weight), names


def _system(x, y, cluster, n_params, weight=None):
    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    some = np.ones((x.shape[1], int(cluster.max()) + 1), dtype=bool)
    return linalg.cluster_system(
        Regression(
            x=x * root[:, None],
            y=y * root,
            root=root,
            unit=np.arange(len(y)),
            cluster=cluster,
            time=np.zeros(len(y), dtype=int),
            n_clusters=some.shape[1],
            contrast=np.eye(x.shape[1]),
            treated=some,
            control=some,
            n_params=n_params,
        )
    )


def design_of(model, data):
    frame, kind = model.split("/")
    kind = kind.removeprefix("lm_").removeprefix("plm_")
    if frame == "castle":
        d, unit, time, y, names = data("castle.csv"), "sid", "year", "l_homicide", ["post"]
    elif frame == "grunfeld":
        d, unit, time, y, names = data("grunfeld.csv"), "firm", "year", "inv", ["value", "capital"]
    else:
        d = data("mortality_rates.csv").query("cause == 'Motor Vehicle'").dropna(subset=["beertaxa", "legal"])
        unit, time, y, names = "state", "year", "mrate", ["legal", "beertaxa"]
        d = d.query("1970 <= year <= 1983")
        if frame == "mortality14":
            d = d[d.state.isin(np.sort(d.state.unique())[:14])]
    d = d.sort_values([unit, time])
    code = np.unique(d[unit], return_inverse=True)[1]
    x = d[names].to_numpy(float)
    if kind == "glm_poisson":
        return _poisson(d, x, code, names)
    if kind in ("twfe", "twoways") or (frame == "castle" and kind == "within"):
        years = np.unique(d[time])[1:]
        x = np.column_stack([x, d[time].to_numpy()[:, None] == years]).astype(float)
    elif kind in ("ols", "pooling"):
        x, names = np.column_stack([np.ones(len(x)), x]), ["(Intercept)", *names]
    response = d[y].to_numpy(float)
    if kind == "fd":
        same = np.flatnonzero(code[1:] == code[:-1])
        x = np.column_stack([np.ones(len(same)), np.diff(x, axis=0)[same]])
        return np.diff(response)[same], x, code[1:][same], ["(Intercept)", *names], kind, None
    return response, x, code, names, kind, None


def _poisson(d, x, code, names):
    y, offset = d["count"].to_numpy(float), np.log(d["pop"].to_numpy(float))
    fit = fit_poisson(y, offset, x, np.zeros(len(y), dtype=int))
    design = np.column_stack([np.ones(len(y)), x])
    z = design @ np.concatenate([fit.log_unit, fit.beta]) + (y - fit.mu) / fit.mu
    return z, design, code, ["(Intercept)", *names], "glm", fit.mu


def influence_of(system, rule, names):
    """(G, k) influence on the first coefficients, and the weights R of its degrees of freedom."""
    g = system.n_clusters
    plain = np.broadcast_to(system.bread, system.gram.shape)
    n, k = system.n_obs, system.n_params
    influence, weights = {
        "CR0": lambda: (system.score @ system.bread, plain),
        "CR1": lambda: (system.score @ system.bread * np.sqrt(g / (g - 1)), plain),
        "CR1S": lambda: (system.score @ system.bread * np.sqrt(g / (g - 1) * (n - 1) / (n - k)), plain),
        "CR2": lambda: (linalg.cr2_influence(system), linalg.cr2_weights(system)),
        "CR3": lambda: (linalg.cr3_influence(system) * np.sqrt(g / (g - 1)), linalg.leave_out(system)),
    }[rule]()
    return influence / system.scale, weights


@covers(
    "clubsandwich/*",
    rtol=1e-8,
    se_rtol=1e-8,
    atol=1e-12,
    unmet={
        "clubsandwich/castle/plm_within/CR3 *": "ignores the absorbed unit effects in the leverage: 0.0593 there, "
        "0.0605 by the true leave-one-cluster-out fit and here (`test_explained`)",
        "clubsandwich/mortality/glm_poisson/CR2 *": "takes the symmetric root of D(Φ − XMX')D on the scale of the "
        "counts (Φ = diag μ, D its root: `test_explained`), ours that of I − H on the transformed scale: 2e-4 apart",
    },
)
def compute(case, data):
    _, frame, model, rule = case.name.split("/")
    system, names = system_of(f"{frame}/{model}", data)
    beta = system.beta / system.scale
    if rule.startswith("Wald"):
        return _wald(system, names, rule)
    influence, weights = influence_of(system, rule, names)
    contrast = np.eye(len(beta))[: len(names)]
    df = linalg.satterthwaite(system, contrast, weights, system.gram)
    out = {}
    for j, name in enumerate(names):
        se = float(np.linalg.norm(influence[:, j]))
        t = abs(beta[j]) / se
        out[f"coef:{name}"] = (beta[j], se)
        out[f"Satterthwaite:df:{name}"] = df[j]
        out[f"Satterthwaite:p:{name}"] = 2 * stdtr(df[j], -t)
        out[f"naive-t:df:{name}"] = system.n_clusters - 1
        out[f"naive-t:p:{name}"] = 2 * stdtr(system.n_clusters - 1, -t)
        half = stdtrit(df[j], 0.975) * se
        out[f"ci95lo:{name}"], out[f"ci95hi:{name}"] = beta[j] - half, beta[j] + half
    return out


def _wald(system, names, rule):
    if rule == "Wald_HTZ":
        found = joint.joint_test(system, np.eye(len(system.scale))[: len(names)], working=system.gram)
        return {"Fstat": found.statistic, "df_num": found.df_num, "df_denom": found.df_denom, "p": found.p_value}
    k, beta = len(names), (system.beta / system.scale)[: len(names)]
    score = (linalg.cr2_influence(system) / system.scale)[:, :k]
    f = float(beta @ np.linalg.solve(score.T @ score, beta)) / k
    if rule == "Wald_chi-sq":
        return {"Fstat": f, "df_num": k, "df_denom": np.inf, "p": chdtrc(k, f * k)}
    return {"Fstat": f, "df_num": k, "df_denom": system.n_clusters - 1, "p": fdtrc(k, system.n_clusters - 1, f)}
