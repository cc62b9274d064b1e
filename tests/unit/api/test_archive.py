from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zipfile

import pytest

from regrow.api.submit.archive import Budget, UploadLimits, images_in_zip, is_zip, plain_name
from regrow.core.errors import DamagedImage, ImageTooLarge, UnsupportedImage
from tests.archives import encrypted_zip, lying_zip, zip_of

LIMITS = UploadLimits(images=5, image_bytes=1000, in_all=3000)


def _read(data: bytes, limits: UploadLimits = LIMITS) -> dict[str, bytes | Exception]:
    return {upload.name: upload.data for upload in images_in_zip(io.BytesIO(data), limits, Budget(limits.in_all))}


def test_files_come_out_in_order_without_noise() -> None:
    files = {"b.png": b"1", "folder/a.png": b"22", "__MACOSX/._a.png": b"x", ".DS_Store": b"x", "x/Thumbs.db": b"x"}
    data = zip_of(files)
    assert is_zip(data[:4])
    assert _read(data) == {"b.png": b"1", "folder/a.png": b"22"}
    assert list(_read(zip_of({}))) == []


def test_one_bad_file_is_not_the_others() -> None:
    found = _read(zip_of({"large": bytes(1001), "good": bytes(1000)}))
    assert isinstance(found["large"], ImageTooLarge)
    assert found["good"] == bytes(1000)
    damaged = bytearray(zip_of({"bad": b"abcdefgh", "good": b"12345678"}, zipfile.ZIP_STORED))
    damaged[damaged.index(b"abcd")] ^= 1
    found = _read(bytes(damaged))
    assert isinstance(found["bad"], DamagedImage)
    assert found["good"] == b"12345678"
    assert isinstance(_read(encrypted_zip("secret", b"data"))["secret"], UnsupportedImage)
    assert isinstance(_read(zip_of({"odd": b"data"}, zipfile.ZIP_BZIP2))["odd"], UnsupportedImage)


def test_many_small_damaged_files_are_not_the_others() -> None:
    names = [f"bad{number}" for number in range(9)]
    damaged = bytearray(zip_of(dict.fromkeys(names, b"abcdefgh") | {"good": b"12345678"}, zipfile.ZIP_STORED))
    for _ in names:
        damaged[damaged.index(b"abcd")] ^= 1
    found = _read(bytes(damaged), UploadLimits(images=10, image_bytes=1_000_000, in_all=2_000_000))
    assert all(isinstance(found[name], DamagedImage) for name in names)
    assert found["good"] == b"12345678"


def test_a_bomb_takes_no_memory() -> None:
    """Five files of 50 MB, each packed to 50 kB, and one that lies about its size."""
    bomb = zip_of({str(number): bytes(50_000_000) for number in range(5)})
    lies = lying_zip("liar", bytes(10_000_000), claimed=10)
    tracemalloc.start()
    with pytest.raises(ImageTooLarge, match="unpack to more"):
        _read(bomb)
    liar = _read(lies)["liar"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(liar, (ImageTooLarge, DamagedImage, bytes))
    assert not isinstance(liar, bytes) or len(liar) <= 10
    assert peak < 4_000_000


def test_too_many_files_are_refused_before_they_are_listed() -> None:
    with pytest.raises(ImageTooLarge, match="at most 5"):
        _read(zip_of({str(number): b"" for number in range(6)}))
    many = zip_of({str(number): b"" for number in range(20_000)})
    tracemalloc.start()
    with pytest.raises(ImageTooLarge, match="at most 5"):
        _read(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_directory_of_long_names_is_refused_before_it_is_read() -> None:
    names = zip_of({f"{number:05d}" + "ü" * 30_000: b"" for number in range(90)})
    tracemalloc.start()
    with pytest.raises(ImageTooLarge, match="at most 50"):
        _read(names, UploadLimits(images=50, image_bytes=1000, in_all=3000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_what_is_not_unpacked_costs_nothing() -> None:
    limits = UploadLimits(images=20, image_bytes=1000, in_all=1500)
    files = zip_of({str(number): b"data" for number in range(9)}, zipfile.ZIP_BZIP2)
    assert len(_read(files, limits)) == 9
    budget = Budget(1500)
    for _ in range(2):
        list(images_in_zip(io.BytesIO(zip_of({"a": bytes(700)})), limits, budget))
    with pytest.raises(ImageTooLarge):
        list(images_in_zip(io.BytesIO(zip_of({"a": bytes(700)})), limits, budget))


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_truncated_archives_are_refused(cut: int) -> None:
    whole = zip_of({"a.png": b"1234", "b.png": b"5678"})
    with pytest.raises(DamagedImage):
        _read(whole[:-cut])


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (None, "unnamed"),
        ("", "unnamed"),
        ("../../x", "../../x"),
        ("a\x00b\nc\x1b[31m", "abc[31m"),
        ("x" * 10_000, "x" * 255),
        ("\ud800x", "x"),
        ("grün.png", "grün.png"),
    ],
)
def test_H3_names_are_for_people_only(name: str | None, plain: str) -> None:
    """H3: no path is made of them, and nothing in them can hurt a terminal."""
    assert plain_name(name) == plain


def _renamed(data: bytes, old: bytes, new: bytes, *, utf_8: bool | None = None) -> bytes:
    """A ZIP with an entry's name changed in both places, and what is said of its alphabet."""
    assert len(old) == len(new)
    made = bytearray(data)
    for signature, flags, name in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        place = made.index(signature)
        while made[place + name : place + name + len(old)] != old:
            place = made.index(signature, place + 1)
        made[place + name : place + name + len(old)] = new
        if utf_8 is not None:
            made[place + flags + 1] = made[place + flags + 1] & ~8 | (8 if utf_8 else 0)
    return bytes(made)


def test_D4_names_of_macos_are_read_as_what_they_are() -> None:
    """It writes UTF-8, composed or not, and does not set the flag that says so."""
    for name in ("Müller/пляж.png", "Mu\u0308ller.png", "日本.png"):
        raw = name.encode()
        data = _renamed(zip_of({"x" * len(raw): b"1"}), b"x" * len(raw), raw, utf_8=False)
        assert list(_read(data)) == [name]
    cp437 = _renamed(zip_of({"x.png": b"1"}), b"x.png", b"\x81.png", utf_8=False)
    assert list(_read(cp437)) == ["ü.png"], "what is no UTF-8 is of the old alphabet"


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"../aa.x", b"/abs.xx", b"a\x00b.xxx"[:7], b"\xc3.p\xc3.x"])
def test_D4_one_bad_name_refuses_only_its_entry(name: bytes) -> None:
    old = b"b" * len(name)
    data = _renamed(zip_of({old.decode(): b"bad", "good.png": b"1"}), old, name, utf_8=True)
    found = _read(data)
    assert found.pop("good.png") == b"1"
    (left,) = found.values()
    assert left == b"bad"
    assert all(ord(letter) >= 32 for letter in "".join(found))


def _as_zip64(data: bytes) -> bytes:
    """Its end record in the larger form, with the smaller that says nothing."""
    at = data.rindex(b"PK\5\6")
    entries, size, offset = struct.unpack_from("<HLL", data, at + 10)
    end = struct.pack("<4sQHHLL4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    return data[:at] + end + locator + b"PK\5\6\0\0\0\0" + b"\xff" * 12 + b"\0\0"


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_D4_a_bad_name_in_a_zip64_is_no_matter_either(before: bytes) -> None:
    plain = zip_of({"bbbbbb": b"bad", "good.png": b"1"})
    data = _as_zip64(_renamed(plain, b"bbbbbb", b"\xff\xfe.png", utf_8=True))
    assert sorted(_read(before + data).values()) == [b"1", b"bad"]
    with pytest.raises(ImageTooLarge, match="too many"):
        _read(_as_zip64(zip_of({f"{n}.png": b"" for n in range(4 * LIMITS.images + 17)})))


def test_D4_names_may_be_empty_long_or_the_same() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in (("a.png", b"1"), ("a.png", b"2"), ("", b"3"), ("x" * 60_000, b"4")):
            archive.writestr(zipfile.ZipInfo(name) if name else zipfile.ZipInfo(), data)
    limits = Budget(LIMITS.in_all)
    uploads = list(images_in_zip(buffer, LIMITS, limits))
    assert [upload.data for upload in uploads] == [b"1", b"2", b"3", b"4"]
    assert [len(upload.name) for upload in uploads][-1] == 255


def test_D4_companions_are_counted() -> None:
    budget = Budget(LIMITS.in_all)
    data = zip_of(
        {
            "./a.png": b"1",
            "__MACOSX/._a.png": b"x",
            "b/.thumb/c.png": b"x",
            "b/desktop.INI": b"x",
            "b\\Thumbs.db": b"x",
        }
    )
    assert [upload.name for upload in images_in_zip(io.BytesIO(data), LIMITS, budget)] == ["./a.png"]
    assert budget.left_out == 4
