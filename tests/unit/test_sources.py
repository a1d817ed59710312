"""Where bytes come from: verification, order of places, complete errors, safe archives."""

import hashlib
import re
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bonmf_lib import sources
from bonmf_lib.errors import ConfigError, SourceError
from bonmf_lib.sources import (
    Artifact,
    JoinedWheels,
    Mirror,
    Url,
    Wheel,
    extract_members,
    fetch,
    read_member,
)
from bonmf_lib.storage import atomic_path, cache_dir

NOWHERE = Url("http://127.0.0.1:9/file.zip", "0" * 64)  # nothing listens on the discard port


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("BONMF_MIRROR", str(folder))
    return folder


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_mirror_file_is_verified_and_used_in_place(mirror, empty_cache):
    (mirror / "a.txt").write_bytes(b"good")
    assert fetch(Artifact("a", (Mirror("a.txt", sha256(b"good")), NOWHERE))) == mirror / "a.txt"


def test_wrong_checksum_names_both_sums_and_every_place_tried(mirror, empty_cache):
    (mirror / "a.txt").write_bytes(b"bad")
    artifact = Artifact("a", (Mirror("a.txt", sha256(b"good")), NOWHERE))
    with pytest.raises(SourceError) as caught:
        fetch(artifact)
    message = str(caught.value)
    assert sha256(b"bad")[:12] in message
    assert sha256(b"good")[:12] in message
    assert NOWHERE.url in message
    assert "BONMF_MIRROR" in message


def test_a_damaged_cache_copy_is_removed_so_that_the_next_run_fetches_it(empty_cache):
    wheel = Wheel("no-such-distribution-bonmf", "1", sha256(b"good"))
    damaged = cache_dir("artifacts", "w", "0") / "no_such.whl"
    damaged.write_bytes(b"half")
    with pytest.raises(SourceError, match="truncated or another version"):
        fetch(Artifact("w", (wheel,)))
    assert not damaged.exists()


def test_a_place_without_checksum_needs_a_content_check(empty_cache):
    place = Url(NOWHERE.url, None)
    kept = cache_dir("artifacts", "u", "0") / "file.zip"
    kept.write_bytes(b"anything")
    with pytest.raises(SourceError, match="neither a sha256 nor a content check"):
        fetch(Artifact("u", (place,)))


def test_mirror_that_is_no_folder_is_a_config_error(tmp_path, monkeypatch, empty_cache):
    monkeypatch.setenv("BONMF_MIRROR", str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="not a folder"):
        fetch(Artifact("a", (Mirror("a.txt", "0" * 64),)))


def test_unwritable_cache_says_which_variable_to_set(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("BONMF_CACHE", str(blocked / "cache"))
    with pytest.raises(SourceError, match="set BONMF_CACHE"):
        cache_dir("features")


def test_truncated_archive(tmp_path):
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.txt", "a" * 1000)
    half = tmp_path / "half.zip"
    half.write_bytes(whole.read_bytes()[:60])
    with pytest.raises(SourceError, match=re.escape(str(half))):
        read_member(half, "a.txt")


def test_missing_member(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(SourceError, match=r"no readable member 'b\.txt'"):
        read_member(path, "b.txt")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        pytest.param(
            "top/../../evil.txt", "unsafe member",
            marks=pytest.mark.case(
                "hostile", "an archive whose member climbs out of its folder", "refused"
            ),
        ),
        pytest.param(
            "top//etc/evil.txt", "unsafe member",
            marks=pytest.mark.case("hostile", "an archive with an absolute member", "refused"),
        ),
        ("top//etc/evil.txt/../../../x", "unsafe member"),
        ("top/sub/./evil.txt", "unsafe member"),
        pytest.param(
            "top/..\\evil.txt", "unsafe member",
            marks=pytest.mark.case(
                "hostile", "members with backslashes or drive letters", "refused"
            ),
        ),
        ("top/C:evil.txt", "unsafe member"),
        ("top/sub/evil.txt:stream", "unsafe member"),
        pytest.param(
            "top/GOOD.txt", "two members",
            marks=pytest.mark.case(
                "hostile", "two members of one path up to case or accents", "refused"
            ),
        ),
        ("top/gu\u0308t.txt", "two members"),
        ("top/good.txt/evil.txt", "a file and a folder"),
    ],
)  # fmt: skip
def test_unsafe_members_are_refused(tmp_path, empty_cache, member, message):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/good.txt", "good")
        archive.writestr("top/g\u00fct.txt", "good")
        archive.writestr(member, "evil")
    with pytest.raises(SourceError, match=message):
        extract_members(path, "top/", "evil")
    assert not (cache_dir("extracted") / "evil").exists()
    assert not list(empty_cache.rglob("*evil.txt"))


@pytest.mark.case("hostile", "an archive with a symbolic link", "refused, nothing extracted")
def test_links_in_archives_are_refused(tmp_path, empty_cache):
    path = tmp_path / "link.zip"
    link = zipfile.ZipInfo("top/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SourceError, match="unsafe member 'top/link'"):
        extract_members(path, "top/", "link")


@pytest.mark.case(
    "hostile",
    "2 MB that unpack to 2 GB",
    "refused at a stated limit of bytes, per member and in all",
)
def test_archives_that_unpack_to_too_much_are_refused(tmp_path, empty_cache, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "abc":
            archive.writestr(f"top/{name}.txt", bytes(900_000))
    monkeypatch.setattr(sources, "MOST_IN_MEMBER", 800_000)
    with pytest.raises(SourceError, match=r"a\.txt' of more than 800,000 bytes"):
        extract_members(path, "top/", "bomb")
    with pytest.raises(SourceError, match=r"a\.txt' of more than 800,000 bytes"):
        read_member(path, "top/a.txt")
    monkeypatch.setattr(sources, "MOST_IN_MEMBER", 1_000_000)
    monkeypatch.setattr(sources, "MOST_IN_ALL", 2_000_000)
    with pytest.raises(SourceError, match="would unpack to 2,700,000 bytes, more than 2,000,000"):
        extract_members(path, "top/", "bomb")
    assert len(read_member(path, "top/a.txt")) == 900_000
    assert not list(empty_cache.rglob("*.txt"))


def _header(path: Path, member: str, offset: int, value: bytes) -> None:
    """Overwrite bytes of a member's local and central headers; offset as in the local one."""
    data = bytearray(path.read_bytes())
    for start, shift in ((data.find(b"PK\3\4"), 0), (data.find(b"PK\1\2"), 2)):
        data[start + offset + shift : start + offset + shift + len(value)] = value
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            lambda path: _header(path, "top/a.txt", 6, b"\1\0"),
            "cannot be unpacked.*encrypted",
            marks=pytest.mark.case(
                "hostile", "an archive with an encrypted member", "one sentence"
            ),
        ),
        pytest.param(
            lambda path: _header(path, "top/a.txt", 8, b"\x63\0"),
            "cannot be unpacked.*compression",
            marks=pytest.mark.case(
                "hostile", "an archive with an unknown compression", "one sentence"
            ),
        ),
        pytest.param(
            lambda path: path.write_bytes(
                path.read_bytes().replace(b"top/a.txt", b"top/a.txt\xff\xff\xff", 1)
            ),
            "is damaged at 'top/a.txt'",
            marks=pytest.mark.case(
                "damage", "an archive with a broken deflate stream", "one sentence"
            ),
        ),
        (lambda path: _header(path, "top/a.txt", 14, b"\0\0\0\0"), "is damaged at 'top/a.txt'"),
        (lambda path: _header(path, "top/a.txt", 18, b"\5\0\0\0"), "is damaged at 'top/a.txt'"),
    ],
    ids=["encrypted", "compression", "deflate", "checksum", "short"],
)  # fmt: skip
def test_members_that_cannot_be_unpacked_give_one_sentence(tmp_path, empty_cache, spoil, message):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/a.txt", "some text, " * 100)
    spoil(path)
    for take in (
        lambda: read_member(path, "top/a.txt"),
        lambda: extract_members(path, "top/", "bad"),
    ):
        with pytest.raises(SourceError, match=message):
            take()
    assert not (cache_dir("extracted") / "bad").exists()


@pytest.mark.case(
    "damage",
    "archives with random bytes changed",
    "the right content or one sentence, never a traceback",
)
def test_archives_with_random_damage(tmp_path, empty_cache):
    """Flipped, cut and inserted bytes, of several compressions."""
    random, path = np.random.default_rng(0), tmp_path / "a.zip"
    text, loaded = b"some text, " * 300, 0
    for number in range(300):
        with zipfile.ZipFile(
            path, "w", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][number % 3]
        ) as archive:
            archive.writestr("top/a.txt", text)
            archive.writestr("top/b.txt", text[:50])
        data = bytearray(path.read_bytes())
        for place in random.integers(0, len(data), 1 + number % 4):
            data[place : place + random.integers(0, 3)] = random.bytes(random.integers(0, 3))
        path.write_bytes(data)
        try:
            read_member(path, "top/b.txt")
            folder = extract_members(path, "top/", str(number))
        except SourceError:
            continue
        loaded += 1
        assert {file.read_bytes() for file in folder.rglob("*.txt")} <= {text, text[:50]}
    assert 0 < loaded < 300


def test_extraction_keeps_the_tree_below_the_prefix(tmp_path, empty_cache):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/sub/a.txt", "a")
        archive.writestr("other/b.txt", "b")
    folder = extract_members(path, "top/", "tree")
    assert [str(p.relative_to(folder)) for p in folder.rglob("*.txt")] == ["sub/a.txt"]


@pytest.mark.case(
    "damage", "an extracted file that was deleted, emptied or changed", "the folder is made again"
)
@pytest.mark.parametrize(
    "spoil",
    [Path.unlink, lambda file: file.write_text(""), lambda file: file.write_text("c")],
    ids=["deleted", "emptied", "changed"],
)
def test_an_extracted_folder_that_lost_something_is_made_again(tmp_path, empty_cache, spoil):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/a.txt", "a")
        archive.writestr("top/b.txt", "b")
    folder = extract_members(path, "top/", "tree")
    before = (folder / "a.txt").stat().st_ino
    assert (
        extract_members(path, "top/", "tree") / "a.txt"
    ).stat().st_ino == before  # whole, so left alone
    spoil(folder / "b.txt")
    again = extract_members(path, "top/", "tree")
    assert again == folder
    assert [(again / name).read_text() for name in ("a.txt", "b.txt")] == ["a", "b"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(SourceError, match="free some space"), atomic_path(target) as temporary:
        temporary.write_text("new")
        raise OSError(28, "No space left on device")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_parts_of_several_wheels_are_joined_in_order(empty_cache, monkeypatch, tmp_path):
    wheels = {}
    for name, part in (("one", b"first, "), ("two", b"second")):
        path = tmp_path / f"{name}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("part", part)
        wheels[name] = path.read_bytes()

    def get(self, folder):
        (folder / "w.whl").write_bytes(wheels[self.distribution])
        return folder / "w.whl"

    monkeypatch.setattr(Wheel, "get", get)
    parts = tuple((Wheel(name, "1", sha256(data)), "part") for name, data in wheels.items())
    found = fetch(Artifact("joined", (JoinedWheels(parts, "whole.txt", sha256(b"first, second")),)))
    assert found.read_bytes() == b"first, second"
    assert [path.name for path in found.parent.iterdir()] == ["whole.txt"]
    changed = ((Wheel("one", "1", sha256(b"another")), "part"), parts[1])
    with pytest.raises(SourceError, match="not the expected file"):
        fetch(Artifact("changed", (JoinedWheels(changed, "whole.txt", sha256(b"first, second")),)))
