"""Personal and unit data at the door: identifiers dropped or replaced by a keyed hash, and a proof that none is left.

The key never enters the workspace or a result. Results do not depend on it: nothing is ever ordered by a hash.
Law: 个人信息保护法 art. 28 (sensitive personal information), 社会保险经办条例 arts. 35, 49, 54 (unit data too).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..core import Gate, UserError, Where
from .schema import TableSpec, layout, tables

KEY_VARIABLE = "EVALKIT_PRIVACY_KEY"
"""Environment variable that carries the key (at least 16 characters)."""

_EDGE = r"(?<![0-9A-Za-z]){}(?![0-9A-Za-z])"
_PATTERNS = {
    "resident_id": re.compile(_EDGE.format(r"\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]")),
    "phone": re.compile(_EDGE.format(r"1[3-9]\d{9}")),
}
_SHORTEST_KEY = 16


def key_for(workspace: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """The key of the keyed hash: from EVALKIT_PRIVACY_KEY, or a file of the user's configuration folder.

    The file is `$XDG_CONFIG_HOME/evalkit/privacy.key` (default `~/.config`), mode 0600, created with 32 random
    bytes when absent. It must lie outside the workspace, so that no copy of a workspace carries it.

    Raises UserError: key_too_short, key_inside_workspace, key_readable (others may read the file),
    key_unwritable.
    """
    env = os.environ if environment is None else environment
    if env.get(KEY_VARIABLE):
        return _long_enough(env[KEY_VARIABLE].encode(), KEY_VARIABLE)
    base = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME") or Path.home()) / ".config")
    path = Path(base) / "evalkit" / "privacy.key"
    if path.resolve().is_relative_to(workspace.resolve()):
        raise UserError("key_inside_workspace", path=str(path), variable=KEY_VARIABLE)
    return _stored_key(path)


def _stored_key(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise UserError("key_readable", where=Where(file=str(path)), mode=oct(path.stat().st_mode & 0o777))
        return _long_enough(path.read_text("ascii").strip().encode(), str(path))
    except OSError as error:
        raise UserError(
            "key_unwritable", where=Where(file=str(path)), variable=KEY_VARIABLE, reason=type(error).__name__
        ) from error


def _create(path: Path) -> None:
    """Write a new key complete or not at all, so that two first runs at once agree on one."""
    draft = path.with_suffix(f".{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _long_enough(key: bytes, source: str) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise UserError("key_too_short", source=source, length=len(key), minimum=_SHORTEST_KEY)
    return key


def pseudonyms(values: pd.Series, kind: str, key: bytes) -> pd.Series:
    """Keyed hashes of identifiers: HMAC-SHA256 of "kind:value", first 16 hex digits, missing stays missing.

    `kind` is the canonical column (unit_id, claim_id, ...), so that the same number hashes the same in every
    table and differently in another role. 64 bits: for 10⁷ units the chance of one collision is 3·10⁻⁶.
    """
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    hashed = [hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:16] for value in distinct]
    out = np.array([*hashed, None], dtype=object)[codes]
    return pd.Series(pd.array(out, dtype="str"), index=values.index, name=values.name)


def protect(frame: pd.DataFrame, table: TableSpec, key: bytes) -> pd.DataFrame:
    """Canonical rows without identifiers: "hash" columns hashed, "drop" columns gone, numbers in free text masked."""
    out = frame.drop(columns=[c.name for c in table.columns if c.personal == "drop" and c.name in frame])
    for column in table.kept:
        if column.name not in out:
            continue
        if column.personal == "hash":
            out[column.name] = pseudonyms(out[column.name], column.name, key)
        elif column.type == "text" and column.name not in table.key:
            out[column.name] = masked(out[column.name])
    return out


def masked(values: pd.Series) -> pd.Series:
    """Free text with resident id and phone numbers blotted out."""
    mask = layout()["identifiers"]["mask"]["text"]
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    clean = [str(value) for value in distinct]
    for pattern in _PATTERNS.values():
        clean = [pattern.sub(mask, value) for value in clean]
    out = np.array([*clean, None], dtype=object)[codes]
    return pd.Series(pd.array(out, dtype="str"), index=values.index, name=values.name)


def derive_person(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sex and birth year from 18-digit resident ids, before they are discarded; None where an id is malformed.

    GB 11643-1999: digits 7-14 are the date of birth, digit 17 is odd for men. Length of `ids` (n,).
    """
    sex = np.full(len(ids), None, dtype=object)
    born = np.full(len(ids), None, dtype=object)
    pattern = _PATTERNS["resident_id"]
    for i, number in enumerate(ids):
        if isinstance(number, str) and pattern.fullmatch(str(number)):
            sex[i] = "male" if int(str(number)[16]) % 2 else "female"
            born[i] = float(str(number)[6:10])
    return sex, born


def scan(frames: Mapping[str, pd.DataFrame]) -> list[dict[str, str | int]]:
    """Everything that still looks like a direct identifier: column names, and numbers in text columns.

    Returns one row per finding: table, column, kind (column, resident_id, phone), n (rows). Empty = proof that no
    18-digit id, phone number or name column is left.
    """
    forbidden = set(layout()["identifiers"]["columns"])
    findings: list[dict[str, str | int]] = []
    for name, frame in frames.items():
        hashed = {c.name for c in tables()[name].columns if c.personal == "hash"} if name in tables() else set()
        for column in frame.columns:
            if column in forbidden and column not in hashed:
                findings.append({"table": name, "column": column, "kind": "column", "n": len(frame)})
            if frame[column].dtype == "str" or frame[column].dtype == object:
                findings += _scan_text(name, column, frame[column])
    return findings


def _scan_text(table: str, column: str, values: pd.Series) -> list[dict[str, str | int]]:
    counts = values.dropna().astype(str).value_counts()
    found: list[dict[str, str | int]] = []
    for kind, pattern in _PATTERNS.items():
        n = int(sum(count for value, count in counts.items() if pattern.search(value)))
        if n:
            found.append({"table": table, "column": column, "kind": kind, "n": n})
    return found


def identifier_gate(frames: Mapping[str, pd.DataFrame]) -> Gate:
    """The veto gate "no_identifiers": passed when `scan` finds nothing."""
    findings = scan(frames)
    places = sorted({f"{f['table']}.{f['column']}" for f in findings})
    return Gate(
        name="no_identifiers", passed=not findings, severity="stop", detail={"n": len(findings), "columns": places}
    )
