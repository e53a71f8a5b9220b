"""Identifiers at the door, and the proof that none is left."""

from __future__ import annotations

import stat
from pathlib import Path

import pandas as pd
import pytest

from evalkit import data
from evalkit.core import UserError
from evalkit.data.privacy import derive_person, masked, pseudonyms

VARIABLE = "EVALKIT_PRIVACY_KEY"


def test_nothing_personal_arrives(write, sheets) -> None:
    """Names, resident ids and phones are gone; unit and claim numbers are not what they were."""
    canonical = write(sheets).ingest()
    everything = "".join(frame.to_csv() for frame in canonical.tables.values())
    for secret in ("张三", "440102199003073315", "13800138000", "44010001", "工厂"):
        assert secret not in everything
    assert data.scan(canonical.tables) == []
    assert next(g for g in canonical.gates if g.name == "no_identifiers").passed


def test_sex_and_birth_year_are_kept_from_the_number(write, sheets) -> None:
    """Sex and year of birth are derived before the resident id is discarded."""
    claims = write(sheets).ingest().tables["claim"]
    assert set(claims.sex) == {"male"}
    assert set(claims.birth_year) == {1990}


def test_derived_facts_of_malformed_numbers_are_missing() -> None:
    """A number that is no resident id says nothing."""
    sex, born = derive_person(pd.Series(["440102199003073325", "4401021990", None]).to_numpy(object))
    assert list(sex) == ["female", None, None]
    assert list(born) == [1990, None, None]


def test_hashes_link_tables_and_need_the_key(write, sheets) -> None:
    """The same firm has the same pseudonym in every table, another under another key."""
    tables = write(sheets).ingest().tables
    assert set(tables["exposure"].unit_id) == set(tables["enrolment"].unit_id) == set(tables["claim"].unit_id)
    values = pd.Series(["1", "2", None], dtype="str")
    one, two = pseudonyms(values, "unit_id", b"k" * 16), pseudonyms(values, "unit_id", b"l" * 16)
    assert not set(one.dropna()) & set(two.dropna())
    assert one.isna().tolist() == [False, False, True]
    assert not set(one.dropna()) & set(pseudonyms(values, "claim_id", b"k" * 16).dropna())


def test_payments_keep_neither_name_nor_account(write, sheets) -> None:
    """Name, resident id and bank account of a payment stop at the door; its claim number links under the key."""
    header = ["伤申号", "姓名", "身份证号", "银行账号", "地市", "待遇项目", "待遇所属期", "支付金额", "支付日期"]
    account = "6222020000000000018"
    paid = ["S1", "张三", "440102199003073315", account, "广州市", "医疗费", "2024-03", 4000.0, "2024-03-20"]
    tables = write(sheets | {"benefit": [header, paid]}).ingest().tables
    everything = tables["benefit"].to_csv()
    for secret in ("张三", "440102199003073315", account, "S1"):
        assert secret not in everything
    assert set(tables["benefit"].claim_id) <= set(tables["claim"].claim_id)


def test_numbers_in_free_text_are_blotted_out() -> None:
    """Resident ids and phone numbers inside a sentence are masked, other numbers stay."""
    out = masked(pd.Series(["联系13800138000，证件44010219900307331X", "预算123456789012元", None], dtype="str"))
    assert "138" not in out[0]
    assert "4401" not in out[0]
    assert out[1] == "预算123456789012元"


def test_scan_finds_what_is_left() -> None:
    """The scan names tables and columns that still carry numbers or names."""
    frame = pd.DataFrame({"title": ["电话13800138000"], "person_name": ["张三"], "note": ["440102199003073315"]})
    found = {(f["column"], f["kind"]) for f in data.scan({"project": frame})}
    assert found == {("title", "phone"), ("person_name", "column"), ("note", "resident_id")}


def test_key_from_the_environment(tmp_path: Path) -> None:
    """The key of the environment is used as it is; a short one is refused."""
    assert data.key_for(tmp_path, {VARIABLE: "k" * 20}) == b"k" * 20
    with pytest.raises(UserError, match="key_too_short"):
        data.key_for(tmp_path, {VARIABLE: "short"})


def test_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    """Without a key in the environment a private file is made, and found again."""
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    key = data.key_for(tmp_path / "workspace", env)
    path = tmp_path / "config" / "evalkit" / "privacy.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert data.key_for(tmp_path / "workspace", env) == key
    assert [p.name for p in path.parent.iterdir()] == ["privacy.key"]


def test_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    """A key file that others may read, or that lies in the workspace, is refused."""
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    data.key_for(tmp_path / "workspace", env)
    (tmp_path / "config" / "evalkit" / "privacy.key").chmod(0o644)
    with pytest.raises(UserError, match="key_readable"):
        data.key_for(tmp_path / "workspace", env)
    with pytest.raises(UserError, match="key_inside_workspace"):
        data.key_for(tmp_path, env)
