"""Works and dated parameters: every number of policy, price or calibration, with its source and how sure we are.

`parameter("pool_wage.shenzhen", "2024-12-31")` gives one dated number as a frozen `Parameter`; `table("cpi")` the whole
data file; `work("callaway_santanna_2021")` the birth certificate of a source. Numbers live in `tables/*.csv`, works in
`works.toml`; a number that nobody has compared with its primary source carries `verified = False` and is marked
wherever it is shown.
"""

from __future__ import annotations

from .library import day_of, default, parameter, parameters, table, tables, work, works

__all__ = ["day_of", "default", "parameter", "parameters", "table", "tables", "work", "works"]
