"""Write the printed numbers of cost-effectiveness packages and papers: `python tests/golden/vendor_cea.py FOLDER`.

One CSV a source below `cea/numbers/`: case, quantity, value, se; and `cea/numbers/cases.csv`. Only what was printed is
written, never the draws of a package that are under its own licence. Dominance is written as a number: 0 on the
frontier, 1 extended, 2 strong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent / "cea" / "numbers"
STATUS = {"ND": 0, "ED": 1, "D": 2}
VERSIONS = {"BCEA": "2.4.84", "dampack": "1.0.2.1000", "voi": "1.0.3"}
WI, VACCINE = "synthetic_wi_psa.csv", "input_bcea_vaccine.csv"
Row = tuple[str, str, object]
"""Case, quantity, value."""

CASES = {
    "bcea/work_injury/by_k": ("BCEA", WI, "bcea(E, C, ref=3, k=seq(0,2e5,1e3))"),
    "bcea/work_injury/risk_aversion": ("BCEA", WI, "CEriskav(m) <- r, k = 20000"),
    "bcea/vaccine/by_k": ("BCEA", VACCINE, "bcea(Vaccine$eff, Vaccine$cost, ref=2, k=seq(0,50000,100))"),
    "bcea/vaccine/risk_aversion": ("BCEA", VACCINE, "CEriskav(m) <- r, k = 25000"),
    "bcea/vaccine/icer": ("BCEA", VACCINE, "summary(m)$ICER"),
    "dampack/work_injury/icers": ("dampack", WI, "calculate_icers(colMeans(C), colMeans(E), names)"),
    "dampack/work_injury/expected_loss": ("dampack", WI, "calc_exp_loss(make_psa_obj(...), wtp)"),
    "dampack/paltiel2006": ("dampack", "", "calculate_icers() on Paltiel 2006, table 4"),
    "dampack/cdiff": ("dampack", "", "calculate_icers() on the means of psa_cdiff"),
    "dampack/example/icers": ("dampack", "", "calculate_icers() on the means of example_psa"),
    "dampack/example/ceac_loss": ("dampack", "", "ceac(), calc_exp_loss() on example_psa"),
    "dampack/example/evpi": ("dampack", "", "calc_evpi() on example_psa"),
    "dampack/example/evppi": ("dampack", "", 'calc_evppi(outcome="nmb") on example_psa'),
    "voi/work_injury/evpi": ("voi", WI, "evpi(list(e, c, k))"),
    "voi/work_injury/evppi": ("voi", WI, "evppi(list(e, c, k), inputs, pars, method = gam; gp above four parameters)"),
    "voi/work_injury/evppi_variance": ("voi", WI, "evppivar(INB of inspect vs train at k=20000, inputs, pars)"),
    "voi/vaccine/evppi": ("voi", VACCINE, "evppi(list(e, c, k), createInputs(vaccine_mat)$mat, pars, method = gam)"),
    "normal/inb": ("closed form", "", "normal acceptability and unit normal loss"),
    "fieller": ("closed form", "", "the quadratic of Fieller (1954), normal or t(498)"),
    "moments": ("closed form", "", "method of moments"),
    "years_lost": ("closed form", "", "Murray; Fox-Rushby & Hanson; mid-year sum"),
    "briggs/hiv": ("Briggs, Claxton, Sculpher 2006", "", "exercise 2.5, and a recomputation"),
}


def main(reference: Path) -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    rows = list(numbers(reference / "cea"))
    frame = pd.DataFrame(rows, columns=["case", "quantity", "value"], dtype=object)
    frame["se"] = ""
    for source, part in frame.groupby(frame.case.str.partition("/")[0]):
        part.to_csv(HERE / f"{source}.csv", index=False, lineterminator="\n")
    facts = [(case, p, VERSIONS.get(p, ""), data, "no", call) for case, (p, data, call) in CASES.items()]
    columns = ["case", "package", "version", "data", "stochastic", "call"]
    pd.DataFrame(sorted(facts), columns=columns).to_csv(HERE / "cases.csv", index=False, lineterminator="\n")


def numbers(folder: Path) -> Iterator[Row]:
    read = lambda name: pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)  # noqa: E731
    for case, name in (("bcea/work_injury/by_k", "synthetic_bcea_by_k"), ("bcea/vaccine/by_k", "bcea_vaccine_by_k")):
        yield from by_k(case, read(name))
    for row in read("synthetic_bcea_riskaversion").itertuples():
        for what, value in (("EVPI", row.EVPI_20000), ("EIB_none", row.X1), ("EIB_train", row.X2)):
            yield "bcea/work_injury/risk_aversion", f"r={float(row.r):g}:{what}", value
    head = json.loads((folder / "bcea_headline.json").read_text("utf-8"))
    for row in head["riskaversion_vaccine"]:
        for what in ("EIB", "EVPI"):
            yield "bcea/vaccine/risk_aversion", f"r={row['r']:g}:{what}", repr(row[f"{what}_25000"])
    yield "bcea/vaccine/icer", "icer", repr(head["vaccine_eff_cost"]["ICER"]["Status quo"])
    tables = {
        "dampack/work_injury/icers": "synthetic_dampack_icers",
        "dampack/paltiel2006": "dampack_icers_hiv_paltiel2006",
        "dampack/cdiff": "dampack_icers_cdiff",
        "dampack/example/icers": "dampack_example_icers_psa",
    }
    for case, name in tables.items():
        for row in read(name).itertuples():
            yield case, f"{row.Strategy}:cost", row.Cost
            yield case, f"{row.Strategy}:effect", row.Effect
            yield case, f"{row.Strategy}:status", STATUS[row.Status]
            if row.ICER != "NA":
                yield case, f"{row.Strategy}:icer", row.ICER
    for row in read("synthetic_dampack_expected_loss").itertuples():
        yield "dampack/work_injury/expected_loss", f"k={row.WTP}:{row.Strategy}", row.Expected_Loss
    for row in read("dampack_example_ceac_elc").itertuples():
        yield "dampack/example/ceac_loss", f"k={row.WTP}:{row.Strategy}:ceac", row.Proportion
        yield "dampack/example/ceac_loss", f"k={row.WTP}:{row.Strategy}:loss", row.Expected_Loss
    for row in read("dampack_example_evpi").itertuples():
        yield "dampack/example/evpi", f"k={row.WTP}", row.EVPI
    for row in read("dampack_example_evppi").itertuples():
        yield "dampack/example/evppi", f"{row.par}:k={row.WTP}", row.EVPPI
    for row in read("synthetic_voi_evpi").itertuples():
        yield "voi/work_injury/evpi", f"k={row.k}", row.evpi
    for row in read("synthetic_voi_evppi").itertuples():
        if row.method == ("gam" if row.pars.count(",") < 4 else "gp"):
            yield "voi/work_injury/evppi", f"{row.pars}:k={row.k}", row.evppi
    for row in read("synthetic_voi_evppivar").itertuples():
        yield "voi/work_injury/evppi_variance", row.pars, row.evppi
    for row in read("voi_evppi_reference").itertuples():
        if row.case.startswith("vaccine gam"):
            yield "voi/vaccine/evppi", f"{row.pars}:k={row.k}", row.evppi
    yield from closed_forms(read, folder)


def by_k(case: str, frame: pd.DataFrame) -> Iterator[Row]:
    for row in frame.to_dict("records"):
        for name, value in row.items():
            if name == "best":
                yield case, f"k={row['k']}:best:{value}", 1
            elif name != "k":
                yield case, f"k={row['k']}:{name}", value


def closed_forms(read, folder: Path) -> Iterator[Row]:
    for row in read("normal_inb_cases").itertuples():
        at = ",".join(f"{f}={getattr(row, f)}" for f in ("dC", "dE", "seC", "seE", "rho", "k"))
        yield "normal/inb", f"{at}:CEAC", row.CEAC
        yield "normal/inb", f"{at}:EVPI", row.EVPI_closed
    kinds = {"finite": 0, "complement": 1, "whole_line": 2}
    for row in read("fieller_cases").itertuples():
        at = ",".join(f"{f}={getattr(row, f)}" for f in ("dC", "dE", "seC", "seE", "rho", "df"))
        yield "fieller", f"{at}:type", kinds[row.type]
        if row.type != "whole_line":
            yield "fieller", f"{at}:low", row.root_low
            yield "fieller", f"{at}:high", row.root_high
    for row in read("distribution_moments").itertuples():
        yield "moments", f"{row.dist},{row.mean},{row.se}:{row.p1_name}", row.p1
        yield "moments", f"{row.dist},{row.mean},{row.se}:{row.p2_name}", row.p2
    for row in read("daly_yll_cases").itertuples():
        at = f"age={row.age},L={row.L},r={row.r},K={row.K}"
        yield "years_lost", f"{at}:formula", row.YLL_formula
        if row.K == "0":
            yield "years_lost", f"{at}:mid_year", row.discrete_annual
    exact = json.loads((folder / "dmhee_hiv.json").read_text("utf-8"))["independent_recomputation"]
    for name, value in exact.items():
        yield "briggs/hiv", name, repr(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
