"""Pictures: one way to open them, whatever a file is called, holds or claims to be."""

import hashlib
import io
import json
import struct
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, PngImagePlugin

from bonmf_lib.datasets import load_planted
from bonmf_lib.encoders import encode_items, get_encoder, image
from bonmf_lib.encoders.image import FORMATS, decode, open_picture, read_picture
from bonmf_lib.encoders.masked_text import _Masked
from bonmf_lib.encoders.picture_files import PictureFiles
from bonmf_lib.errors import EncoderError
from tests.conftest import CPU

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 20, 3)).astype(np.uint8)


def packed(picture: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few pixels."""
    out = b"\x89PNG\r\n\x1a\n"
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 99)),
    )
    for kind, data in (*parts, (b"IEND", b"")):
        out += (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )
    return out


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    found = decode(packed(Image.fromarray(PIXELS), kind, **options))
    assert found.shape == PIXELS.shape
    if kind not in ("JPEG", "GIF"):
        np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.case(
    "hostile", "an EPS file named .jpg", "not opened (it would start Ghostscript); missing"
)
@pytest.mark.parametrize("kind", ["EPS", "TIFF", "PDF", "ICNS", "PPM"])
def test_other_formats_are_not_tried(kind, monkeypatch):
    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    hostile = packed(Image.fromarray(PIXELS), kind)
    assert decode(hostile) is None
    with pytest.raises(EncoderError, match="it is none of JPEG, PNG, WEBP, GIF, BMP"):
        open_picture(hostile)


@pytest.mark.case(
    "hostile",
    "a small file of 13,000 x 13,000 pixels",
    "told from its header, not decoded; missing",
)
@pytest.mark.parametrize(
    ("width", "height"), [(13_000, 13_000), (1, 50_000_001), (2**31 - 1, 2**31 - 1)]
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_told_from_the_header(width, height, monkeypatch):
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(EncoderError, match="more than 50,000,000"):
        open_picture(png_header(width, height))


@pytest.mark.parametrize(
    ("picture", "kind", "expected"),
    [
        (Image.new("LA", (4, 4), (90, 255)), "PNG", (90, 90, 90)),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 255)), "PNG", (10, 20, 30)),
        # transparent: as on a white page
        (
            Image.new("RGBA", (4, 4), (10, 20, 30, 0)),
            "PNG",
            (255, 255, 255),
        ),
        (Image.new("1", (4, 4), 1), "PNG", (255, 255, 255)),
        (Image.new("RGB", (4, 4), (0, 128, 255)).quantize(), "PNG", (0, 128, 255)),
        (Image.fromarray(np.full((4, 4), 0x80FF, np.uint16)), "PNG", (0x80, 0x80, 0x80)),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "JPEG", (255, 255, 255)),
        (Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "JPEG", (0, 255, 255)),
    ],
    ids=[
        "grey-alpha",
        "opaque",
        "transparent",
        "bits",
        "palette",
        "16 bits",
        "cmyk-white",
        "cmyk-cyan",
    ],
)
def test_every_kind_of_pixel_becomes_rgb(picture, kind, expected):
    found = decode(packed(picture, kind))
    assert found.shape == (4, 4, 3)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        found = decode(packed(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert np.abs(found.astype(int) - (255, 0, 0)).max() < 5


def test_ordinary_pictures_keep_their_pixels():
    """As Pillow's plain conversion gives them, at their size and squeezed."""
    for kind in ("JPEG", "PNG"):
        data = packed(Image.fromarray(PIXELS), kind)
        plain = Image.open(io.BytesIO(data)).convert("RGB")
        np.testing.assert_array_equal(decode(data), np.asarray(plain))
        squeezed = plain.resize((7, 9), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(decode(data, (7, 9)), np.asarray(squeezed))


@pytest.mark.case(
    "hostile", "pictures with random bytes changed, cut or added", "read, or count as missing"
)
def test_random_damage_never_gives_a_traceback():
    random = np.random.default_rng(0)
    whole = {kind: packed(Image.fromarray(PIXELS), kind) for kind in FORMATS}
    whole["animated"] = packed(
        Image.fromarray(PIXELS), "GIF", save_all=True, append_images=[Image.fromarray(~PIXELS)]
    )
    read = 0
    for kind, data in whole.items():
        for number in range(60):
            damaged = bytearray(data[: random.integers(1, len(data))] if number % 5 == 0 else data)
            for place in random.integers(
                0, min(len(damaged), 200 if number % 2 else 1 << 30), 1 + number % 4
            ):
                damaged[place : place + random.integers(0, 3)] = random.bytes(random.integers(0, 3))
            found = decode(bytes(damaged))
            assert found is None or (found.ndim == 3 and found.dtype == np.uint8), kind
            read += found is not None
    assert 0 < read < 360
    assert all(decode(random.bytes(200)) is None for _ in range(50))


def with_pictures(tmp_path, pictures: list[bytes]):
    data = load_planted()[0]
    paths = []
    for number, picture in enumerate(pictures):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(picture)
    return replace(
        data, items=data.items.assign(image=[*map(str, paths), *data.items["image"][len(paths) :]])
    )


@pytest.mark.case("hostile", "pictures that cannot be read", "missing; counted and named")
def test_unreadable_pictures_are_named_with_their_reason(empty_cache, tmp_path):
    hostile = [
        packed(Image.fromarray(PIXELS), "EPS"),
        packed(Image.fromarray(PIXELS), "PNG")[:300],
        b"",
        *[b"x"] * 3,
    ]
    data = with_pictures(tmp_path, hostile)
    for _ in range(2):  # encoded, then from the cache
        with pytest.warns(UserWarning) as caught:
            found = encode_items(data, "image", "pixels")
        assert str(caught[0].message) == (
            "planted: 6 unreadable pictures count as missing: "
            "that of 'Planted 0' (0.jpg: it is none of JPEG, PNG, WEBP, GIF, BMP), "
            "that of 'Planted 1' (1.jpg: it is damaged or cut off), "
            "that of 'Planted 2' (2.jpg: its file is empty, cannot be opened "
            "or has more than 100,000,000 bytes), "
            "that of 'Planted 3' (3.jpg: it is none of JPEG, PNG, WEBP, GIF, BMP), "
            "that of 'Planted 4' (4.jpg: it is none of JPEG, PNG, WEBP, GIF, BMP), "
            "and 1 more."
        )
        assert found.present.tolist() == [False] * 6 + [True] * 74


@pytest.mark.case(
    "data", "a folder of which no picture can be read", "an early error that names the first"
)
@pytest.mark.parametrize("encoder", ["pixels", "colours", "dinov2-s"])
def test_no_readable_picture_is_an_early_error(empty_cache, tmp_path, encoder):
    data = with_pictures(tmp_path, [b"x"] * 80)
    with pytest.raises(
        EncoderError, match=r"none of the 80 pictures can be read; the first is that of 'Planted 0'"
    ):
        encode_items(data, "image", encoder)


def test_files_that_are_gone_or_too_large_are_unreadable(tmp_path, monkeypatch):
    assert read_picture(str(tmp_path / "gone.jpg")) == b""
    assert read_picture(str(tmp_path)) == b""
    (tmp_path / "large.jpg").write_bytes(bytes(11))
    assert len(read_picture(str(tmp_path / "large.jpg"))) == 11
    monkeypatch.setattr(image, "MOST_BYTES", 10)
    assert read_picture(str(tmp_path / "large.jpg")) == b""


def test_baselines_hold_one_decoded_picture_at_a_time(monkeypatch):
    pictures = [packed(Image.fromarray(PIXELS), "PNG")] * 300
    for name in ("pixels", "colours"):
        encoder = replace(get_encoder(name, "image"), image_size=64)
        tracemalloc.start()
        vectors = encoder.encode(pictures, CPU)["mean"]
        assert tracemalloc.get_traced_memory()[1] < vectors.nbytes + 1_000_000
        tracemalloc.stop()


def test_features_of_picture_files_have_the_key_of_their_bytes(empty_cache, tmp_path):
    one, other = (packed(Image.fromarray(pixels), "PNG") for pixels in (PIXELS, ~PIXELS))
    pictures = [one, other, one, b"", *[b"broken"] * 76]
    data = with_pictures(tmp_path, pictures)
    data = replace(data, items=data.items.assign(image=[None, *data.items["image"][1:]]))
    with pytest.warns(UserWarning, match="77 unreadable pictures"):
        found = encode_items(data, "image", "pixels")
    digest = hashlib.sha256(b"\0")  # nothing
    for picture in pictures[1:]:
        digest.update(b"\1" + hashlib.sha256(picture).digest())
    described = {"encoder": "pixels", "version": "1", "image_size": 8, "fit": "squeeze"}
    written = json.dumps([described, 80, digest.hexdigest()], sort_keys=True, separators=(",", ":"))
    assert found.key == hashlib.sha256(written.encode()).hexdigest()
    assert found.present.tolist() == [False, True, True, *[False] * 77]
    expected = get_encoder("pixels", "image").encode([other, one], CPU)["mean"]
    np.testing.assert_array_equal(found.matrix[1:3], expected)


@pytest.mark.parametrize("encoder", ["pixels", "colours", "random-image"])
def test_one_picture_file_at_a_time_is_held(empty_cache, tmp_path, encoder):
    size = 400
    draw = np.random.default_rng(0)
    pixels = (draw.integers(0, 256, (size, size, 3)).astype(np.uint8) for _ in range(80))
    data = with_pictures(tmp_path, (packed(Image.fromarray(row), "BMP") for row in pixels))
    tracemalloc.start()
    found = encode_items(data, "image", encoder)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.present.all()
    assert held < 8 * 3 * size**2  # bytes, those of eight pictures


def test_a_picture_that_changes_while_it_is_encoded_is_named(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.png", "gone.png")]
    (tmp_path / "a.png").write_bytes(b"one")
    files = PictureFiles([paths[0], None, paths[1]])
    assert list(files) == [b"one", None, b""] and files[1:] == [None, b""]
    assert files.there.tolist() == [True, False, True]
    chosen = files.of([2, 0])
    assert list(chosen) == [b"", b"one"]
    (tmp_path / "a.png").write_bytes(b"another")
    with pytest.raises(EncoderError, match=r"a\.png was changed while it was encoded; run again"):
        chosen[1]


def test_masked_pictures_are_made_when_they_are_asked_for():
    pictures = [
        packed(Image.fromarray(PIXELS), "PNG"),
        b"broken",
        packed(Image.fromarray(~PIXELS), "PNG"),
    ]
    masked = _Masked(pictures)
    assert len(masked) == 3
    assert [decode(picture) is None for picture in masked[:2]] == [False, True]
    np.testing.assert_array_equal(decode(masked[2]), decode(masked[2:][0]))
