"""Files: saving and loading is an identity, a good file is never lost, a bad one never parsed."""

from __future__ import annotations

import errno
import os
import pathlib
import random
import struct
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import synthetic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import PROVENANCE, REGIONS, SECTORS, UNSTABLE

from reesim.errors import StoreError
from reesim.results import sealed, store
from reesim.results.path import Path
from reesim.variables import VARIABLES

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def saved(tmp_path) -> pathlib.Path:
    return synthetic.small().save(tmp_path / "small.h5")


def leftovers(folder: pathlib.Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".tmp")


class TestIdentity:
    @pytest.mark.parametrize(
        "path",
        [
            synthetic.path(),
            synthetic.path(provenance=UNSTABLE),
            synthetic.path(1, ("residual",)),
            synthetic.path(
                3, rule_state={"hope": np.ones((3, 2, 2)), "fear.level-1": np.arange(3.0), "none": np.ones((3, 0))}
            ),
            synthetic.small(),
        ],
        ids=["all", "unstable", "one-number", "states", "small"],
    )
    def test_loaded_is_equal_bit_for_bit(self, path, tmp_path):
        assert path.save(tmp_path / "a.h5") == (tmp_path / "a.h5").resolve()
        again = Path.load(tmp_path / "a.h5")
        assert again.equals(path)
        assert again.provenance == path.provenance
        assert not again.array(path.variables[0]).flags.writeable

    def test_awkward_numbers_and_dates(self, tmp_path):
        numbers = [0.0, -0.0, 5e-324, -1.7976931348623157e308, 0.1, 1 / 3]
        dates = pd.DatetimeIndex(["1583-01-01", "1969-12-31", "1970-01-01", "2000-02-29", "2300-01-01", "9999-12-31"])
        path = Path(dates, {"residual": np.array(numbers)}, REGIONS, SECTORS, PROVENANCE)
        path.save(tmp_path / "a.h5")
        assert Path.load(tmp_path / "a.h5").equals(path)

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80),
        override=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=6,
        ),
    )
    def test_any_text_and_override(self, tmp_path, text, override):
        record = replace(PROVENANCE, scenario_text=text, title=text, overrides={"x": override}, warnings=(text,))
        path = synthetic.path(1, ("residual",), provenance=record)
        path.save(tmp_path / "a.h5")
        assert Path.load(tmp_path / "a.h5").equals(path)

    def test_same_path_same_bytes(self):
        assert store.image(synthetic.path()) == store.image(synthetic.path())

    def test_a_zero_byte_or_broken_text_is_refused_rather_than_cut_short(self, tmp_path):
        for text in ("a\0b", "a\ud800"):
            path = synthetic.path(1, ("residual",), provenance=replace(PROVENANCE, scenario_text=text))
            with pytest.raises(StoreError, match="not plain text"):
                path.save(tmp_path / "a.h5")
        assert not list(tmp_path.iterdir())

    def test_a_file_is_replaced_and_read_through_a_link(self, tmp_path):
        first, second = synthetic.path(2, seed=1), synthetic.path(2, seed=2)
        (tmp_path / "there").mkdir()
        first.save(tmp_path / "there" / "real.h5")
        link = tmp_path / "link.h5"
        link.symlink_to(tmp_path / "there" / "real.h5")
        second.save(link)
        assert link.is_symlink()
        assert Path.load(tmp_path / "there" / "real.h5").equals(second)


class TestSelfDescribing:
    def test_opens_in_h5py_with_units_and_texts(self, tmp_path):
        path = synthetic.path(rule_state={"hope": np.ones((24, 3))})
        path.save(tmp_path / "a.h5")
        with h5py.File(tmp_path / "a.h5", "r") as file:
            assert file.attrs["Conventions"] == "CF-1.11"
            assert file.attrs["reesim_schema"] == store.SCHEMA
            assert file.attrs["calibration_hash"] == "0123abcd"
            for name in path.variables:
                known = VARIABLES[name]
                assert file[name].attrs["units"] == known.unit
                assert file[name].attrs["long_name"] == known.description
                assert file[name].attrs["equation"] == known.equation
                assert file[name].attrs.get("symbol", "") == known.symbol
                np.testing.assert_array_equal(file[name][()], path.array(name))
            assert file["provenance/scenario_text"].asstr()[()] == synthetic.SCENARIO
            assert file["time"].attrs["units"] == "days since 1970-01-01"

    def test_opens_in_xarray_with_labels(self, tmp_path):
        xarray = pytest.importorskip("xarray")
        path = synthetic.path(provenance=UNSTABLE)
        path.save(tmp_path / "a.h5")
        with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
            assert data["trade_share"].dims == ("time", "region", "partner", "sector")
            cell = data["trade_share"].sel(time="2010-03-01", region="CHN", partner="ROW", sector="SER")
            assert float(cell) == path.array("trade_share")[2, 0, 2, 1]
            assert list(data["region_name"].to_numpy()) == list(REGIONS.names)
            assert {"region_name", "sector_name", "partner_name"} <= set(data.coords)
            assert data["wage"].attrs["units"] == "baseline = 1"
            assert "UNSTABLE" in data.attrs["warnings"]
            assert set(data.data_vars) == set(path.variables)

    def test_opens_as_a_tree_with_texts_and_states(self, tmp_path):
        xarray = pytest.importorskip("xarray")
        synthetic.path(rule_state={"hope": np.ones((24, 3))}).save(tmp_path / "a.h5")
        with xarray.open_datatree(tmp_path / "a.h5", engine="h5netcdf") as tree:
            assert str(tree["provenance"]["scenario_text"].to_numpy()) == synthetic.SCENARIO
            assert tree["rule_state"]["hope"].dims == ("time", "hope axis 1")


class TestDamage:
    def test_every_damaged_byte_is_refused_before_hdf5_sees_it(self, saved, monkeypatch):
        def parse(*_args, **_kwargs):
            pytest.fail("a damaged file reached HDF5")

        monkeypatch.setattr(h5py, "File", parse)
        good = saved.read_bytes()
        chosen = random.Random(1)
        places = [*range(sealed.BLOCK), *chosen.choices(range(sealed.BLOCK, len(good)), k=1500)]
        assert len(places) > 2000
        for place in places:
            bad = bytearray(good)
            bad[place] ^= chosen.randrange(1, 256)
            saved.write_bytes(bad)
            with pytest.raises(StoreError):
                store.load(saved)

    def test_truncated_extended_or_shifted(self, saved):
        good = saved.read_bytes()
        lengths = [0, 1, 100, sealed.BLOCK - 1, sealed.BLOCK, sealed.BLOCK + 1, len(good) // 2, len(good) - 1]
        for bad in [good[:length] for length in lengths] + [good + b"\0", b"\0" + good, good[1:], good[sealed.BLOCK :]]:
            saved.write_bytes(bad)
            with pytest.raises(StoreError, match=r"truncated or damaged|not a result file"):
                store.load(saved)

    def test_foreign_files(self, tmp_path):
        with h5py.File(tmp_path / "foreign.h5", "w") as file:
            file["x"] = 1.0
        with h5py.File(tmp_path / "block.h5", "w", userblock_size=512) as file:
            file["x"] = 1.0
        (tmp_path / "text.h5").write_text("time,value\n" * 1000)
        (tmp_path / "empty.h5").write_bytes(b"")
        for name in ("foreign.h5", "block.h5", "text.h5", "empty.h5"):
            with pytest.raises(StoreError, match="not a result file of reesim"):
                store.load(tmp_path / name)

    def test_missing_folder_or_pipe(self, tmp_path):
        with pytest.raises(StoreError, match="no such file"):
            store.load(tmp_path / "none.h5")
        with pytest.raises(StoreError, match="not a regular file"):
            store.load(tmp_path)
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "pipe")
            with pytest.raises(StoreError, match="not a regular file"):
                store.load(tmp_path / "pipe")

    def test_a_newer_container_says_to_upgrade(self, saved):
        good = bytearray(saved.read_bytes())
        good[16:20] = struct.pack("<I", sealed.VERSION + 1)
        saved.write_bytes(good)
        with pytest.raises(StoreError, match="newer reesim"):
            store.load(saved)


def forge(saved: pathlib.Path, change) -> None:
    """Change the HDF5 image of a file and seal it anew, as an attacker could."""
    inner = saved.with_suffix(".image")
    inner.write_bytes(sealed.read(saved))
    with h5py.File(inner, "r+") as file:
        change(file)
    saved.write_bytes(sealed.seal(inner.read_bytes()))


def put(name: str, **how):
    """Replace a dataset by one made another way."""

    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **how)

    return change


def external_storage(file: h5py.File) -> None:
    del file["welfare"]
    file.create_dataset("welfare", shape=(2, 3), dtype="<f8", external=[("/etc/passwd", 0, 48)])


def virtual(file: h5py.File) -> None:
    del file["welfare"]
    layout = h5py.VirtualLayout(shape=(2, 3), dtype="<f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(2, 3))
    file.create_virtual_dataset("welfare", layout)


def linked(link):
    def change(file: h5py.File) -> None:
        del file["welfare"]
        file["welfare"] = link

    return change


def attribute(place: str, name: str, value):
    def change(file: h5py.File) -> None:
        file[place].attrs[name] = value

    return change


def loop(file: h5py.File) -> None:
    file["provenance/again"] = file["provenance"]
    del file["provenance/record"]
    file["provenance/record"] = file["provenance"]


def named_type(file: h5py.File) -> None:
    del file["welfare"]
    file["welfare"] = np.dtype("<f8")


def crowd(file: h5py.File) -> None:
    for i in range(1100):
        file.create_group(f"g{i}")


def texts(name: str, data):
    """Replace a text, or a list of them, by others of the same kind."""
    longest = max(map(len, [data] if isinstance(data, bytes) else data))
    return put(name, data=np.array(data, dtype=h5py.string_dtype("utf-8", longest)))


def record(text: bytes):
    return texts("provenance/record", text)


def unit(file: h5py.File) -> None:
    text = file["provenance/record"][()]
    assert b"change as a share of baseline" in text
    record(text.replace(b"change as a share of baseline", b"per cent"))(file)


SEVEN_TIB = (10**6, 10**6)
TEXT = h5py.string_dtype("utf-8")
HOSTILE = {
    "external storage": (external_storage, "not stored plainly"),
    "virtual dataset": (virtual, "not stored plainly"),
    "external link": (linked(h5py.ExternalLink("/etc/passwd", "/x")), "link to somewhere else"),
    "soft link": (linked(h5py.SoftLink("/A_R")), "link to somewhere else"),
    "dangling link": (linked(h5py.SoftLink("/nowhere")), "link to somewhere else"),
    "loop": (loop, "is not data"),
    "named type": (named_type, "neither a group nor data"),
    "crowd": (crowd, "entries"),
    "7 TiB declared": (put("welfare", shape=SEVEN_TIB, dtype="<f8"), "declares"),
    "7 TiB in chunks": (put("welfare", shape=SEVEN_TIB, dtype="<f8", chunks=(64, 64)), "not stored plainly"),
    "filter": (put("welfare", data=np.ones((2, 3)), compression="gzip"), "not stored plainly"),
    "ragged texts": (put("welfare", data=[["x"] * 3] * 2, dtype=TEXT), "type that results do not have"),
    "references": (put("welfare", shape=(2, 3), dtype=h5py.ref_dtype), "type that results do not have"),
    "ragged": (put("welfare", shape=(2, 3), dtype=h5py.vlen_dtype(np.float64)), "type that results do not have"),
    "compound": (put("welfare", shape=(2, 3), dtype=[("x", "<f8")]), "type that results do not have"),
    "float32": (put("welfare", data=np.ones((2, 3), "<f4")), "type that results do not have"),
    "big-endian": (put("welfare", data=np.ones((2, 3), ">f8")), "type that results do not have"),
    "integers": (put("welfare", data=np.ones((2, 3), "<i8")), "should not have"),
    "wrong rank": (put("welfare", data=np.ones(6)), r"has shape \(6,\)"),
    "nothing": (put("welfare", data=h5py.Empty("<f8")), "is empty|not stored plainly"),
    "group": (lambda file: (file.pop("welfare"), file.create_group("welfare")), "does not know"),
    "unknown variable": (lambda file: file.create_dataset("magic", data=1.0), "'magic', which this version"),
    "unit": (unit, "welfare is in 'per cent'"),
    "newer schema": (attribute("/", "reesim_schema", np.int64(store.SCHEMA + 1)), "newer reesim"),
    "old schema": (attribute("/", "reesim_schema", np.int64(0)), "never was"),
    "schema in words": (attribute("/", "reesim_schema", "one"), "not a number"),
    "many schemas": (attribute("/", "reesim_schema", np.ones(3, dtype="<i8")), "not a number"),
    "no schema": (lambda file: file.attrs.__delitem__("reesim_schema"), "no schema number"),
    "no provenance": (lambda file: file.pop("provenance"), "no provenance"),
    "no labels": (lambda file: file.pop("region"), "no 'region'"),
    "label twice": (texts("sector", [b"TRA", b"TRA"]), "stands twice"),
    "too few labels": (texts("sector", [b"TRA"]), "1 sector codes but 2 names"),
    "partners": (texts("partner", [b"CHN", b"JPN", b"XXX"]), "partners are not its regions"),
    "ragged labels": (put("region", data=["CHN", "JPN", "ROW"], dtype=TEXT), "type that results do not have"),
    "labels are numbers": (put("region", data=np.ones(3)), "not a list of labels"),
    "one label": (texts("region", b"CHN"), "not a list of labels"),
    "text is a list": (texts("provenance/scenario_text", [b"a", b"b"]), "not a text"),
    "broken UTF-8": (texts("region", [b"\xff", b"JPN", b"ROW"]), "utf-8"),
    "broken JSON": (record(b"{"), "not laid out"),
    "JSON list": (record(b"[]"), "not one"),
    "deep JSON": (record(b"[" * 100_000), "not laid out"),
    "JSON of other things": (record(b'{"name": 1}'), "not one"),
    "no entries": (record(b'{"provenance": {}, "units": {}}'), "missing or unknown"),
    "state of a rule": (put("rule_state/hope", data=np.full((2, 3), np.nan)), "not finite"),
}


class TestHostile:
    @pytest.mark.parametrize("case", HOSTILE)
    def test_refused_though_its_digest_is_right(self, saved, case):
        change, match = HOSTILE[case]
        forge(saved, change)
        with pytest.raises(StoreError, match=match) as caught:
            store.load(saved)
        assert str(saved) in str(caught.value)

    def test_a_forged_file_without_a_change_is_read(self, saved):
        forge(saved, lambda file: None)
        assert store.load(saved).equals(synthetic.small())

    def test_numbers_that_are_not_finite_are_refused(self, saved):
        def change(file):
            file["A_R"][1, 2, 0] = np.nan

        forge(saved, change)
        with pytest.raises(StoreError, match="A_R is nan on 2010-02-01, region ROW, sector TRA"):
            store.load(saved)

    def test_dates_out_of_reach_are_refused(self, saved):
        for days in ([0, 2**62], [-(2**63), 0], [5, 4], [1, 1]):

            def change(file, days=days):
                file["time"][:] = days

            forge(saved, change)
            with pytest.raises(StoreError, match=r"times are not dates|increase"):
                store.load(saved)

    def test_a_huge_length_asks_for_no_memory(self, saved):
        good = bytearray(saved.read_bytes())
        good[20:28] = struct.pack("<Q", 2**62)
        saved.write_bytes(good)
        with pytest.raises(StoreError, match="truncated or damaged"):
            store.load(saved)


class TestFailures:
    @pytest.mark.parametrize(
        ("call", "number", "match"),
        [
            ("write", errno.ENOSPC, "Make room"),
            ("write", errno.EIO, "Save elsewhere"),
            ("fsync", errno.EIO, "Save elsewhere"),
            ("fsync", errno.EDQUOT, "Make room"),
            ("replace", errno.EACCES, "folder you may write to"),
            ("open", errno.EROFS, "folder you may write to"),
        ],
    )
    def test_the_old_file_stands_and_nothing_is_left_behind(self, saved, monkeypatch, call, number, match):
        def fail(*_args, **_kwargs):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patched:
            patched.setattr(sealed.os, call, fail)
            with pytest.raises(StoreError, match=match):
                synthetic.path(3).save(saved)
        assert store.load(saved).equals(synthetic.small())
        assert not leftovers(saved.parent)

    def test_an_interrupt_leaves_nothing_behind(self, saved, monkeypatch):
        def interrupt(*_args):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(sealed.os, "fsync", interrupt)
            with pytest.raises(KeyboardInterrupt):
                synthetic.path(3).save(saved)
        assert store.load(saved).equals(synthetic.small())
        assert not leftovers(saved.parent)

    def test_short_writes_are_continued(self, tmp_path, monkeypatch):
        write = os.write
        with monkeypatch.context() as patched:
            patched.setattr(sealed.os, "write", lambda descriptor, data: write(descriptor, data[:1000]))
            synthetic.small().save(tmp_path / "a.h5")
        assert store.load(tmp_path / "a.h5").equals(synthetic.small())

    def test_places_that_cannot_hold_a_file(self, tmp_path):
        path = synthetic.small()
        with pytest.raises(StoreError, match="there is no folder"):
            path.save(tmp_path / "none" / "a.h5")
        with pytest.raises(StoreError, match="not a regular file"):
            path.save(tmp_path)
        with pytest.raises(StoreError, match="not a regular file"):
            path.save("/dev/null")
        with pytest.raises(StoreError, match="not a name"):
            path.save(tmp_path / "a\0.h5")
        with pytest.raises(StoreError, match="not written"):
            path.save(tmp_path / ("x" * 300))

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
    def test_read_only_folder(self, saved):
        saved.parent.chmod(0o500)
        try:
            with pytest.raises(StoreError, match="folder you may write to"):
                synthetic.path(3).save(saved)
        finally:
            saved.parent.chmod(0o700)
        assert store.load(saved).equals(synthetic.small())

    def test_permissions_are_those_of_any_new_file(self, tmp_path):
        (tmp_path / "plain").write_text("")
        saved = synthetic.small().save(tmp_path / "a.h5")
        assert saved.stat().st_mode == (tmp_path / "plain").stat().st_mode


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own."""
    folders = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )


KILLED = """
import os, signal, sys
import synthetic
from reesim.results import sealed

real = getattr(os, sys.argv[2])

def killed(*arguments, **keywords):
    if sys.argv[2] == "write":
        real(arguments[0], arguments[1][: len(arguments[1]) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

setattr(sealed.os, sys.argv[2], killed)
synthetic.path(3).save(sys.argv[1])
"""

FULL_DISK = """
import resource, sys
import synthetic
from reesim.errors import StoreError

path = synthetic.path(100)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    path.save(sys.argv[1])
except StoreError as error:
    print(error)
    sys.exit(4)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL and no resource limits there")
class TestProcesses:
    @pytest.mark.parametrize("call", ["write", "fsync", "replace"])
    def test_kill_9_while_writing_leaves_the_old_file(self, saved, call):
        done = run(KILLED, saved, call)
        assert done.returncode == -9, done.stderr
        assert store.load(saved).equals(synthetic.small())

    def test_file_size_limit_ends_cleanly(self, saved):
        done = run(FULL_DISK, saved)
        assert done.returncode == 4, done.stderr
        assert "Make room" in done.stdout
        assert not done.stderr
        assert store.load(saved).equals(synthetic.small())
        assert not leftovers(saved.parent)
