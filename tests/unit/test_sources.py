"""Where bytes come from: verification, order of places, complete errors, safe archives."""

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from bonmf_lib.errors import ConfigError, SourceError
from bonmf_lib.sources import Artifact, Mirror, Url, Wheel, extract_members, fetch, read_member
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


@pytest.mark.parametrize("member", ["top/../../evil.txt", "top//etc/evil.txt/../../../x"])
def test_members_that_climb_out_are_refused(tmp_path, empty_cache, member):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/good.txt", "good")
        archive.writestr(member, "evil")
    with pytest.raises(SourceError, match="unsafe member"):
        extract_members(path, "top/", "evil")
    assert not (cache_dir("extracted") / "evil").exists()
    assert not list(empty_cache.rglob("evil.txt"))


def test_extraction_keeps_the_tree_below_the_prefix(tmp_path, empty_cache):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/sub/a.txt", "a")
        archive.writestr("other/b.txt", "b")
    folder = extract_members(path, "top/", "tree")
    assert [str(p.relative_to(folder)) for p in folder.rglob("*.txt")] == ["sub/a.txt"]


@pytest.mark.case("damage", "an extracted file that was deleted, emptied or changed", "the folder is made again")
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
    assert (extract_members(path, "top/", "tree") / "a.txt").stat().st_ino == before  # whole, so left alone
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
