"""The look at a survey's photos: what it measures, when it advises to adapt, what it refuses."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

from engine.errors import EngineError
from engine.pavement import procedural_pavement, smooth_noise
from engine.photo_look import BLACK, ROAD, look_at_photo
from engine.survey_look import MOST_LOOKED_AT, SurveyLook, drift_report, look_at, refusals
from engine.synthesis import CrackStyle, draw_cracks, draw_polyline_crack

PHOTOS = Path(skimage.__file__).parent / "data"


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def resized(image, scale):
    return image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def pavement(seed, count=10, grain_px=None, cracked=0.6, network_share=0.2, size=(144, 192), **how):
    rng = np.random.default_rng(seed)
    photos = []
    for _ in range(count):
        photo = procedural_pavement(rng, *size, grain_px=grain_px, **how)
        if rng.random() < cracked:
            photo, _ = draw_cracks(rng, photo, CrackStyle(network_share=network_share))
        photos.append(photo)
    return photos


def crops(name, count=10, size=(150, 200)):
    photo, rng = read(PHOTOS / name), np.random.default_rng(0)
    high, wide = min(size[0], photo.shape[0]), min(size[1], photo.shape[1])
    found = []
    for _ in range(count):
        top, left = rng.integers(0, photo.shape[0] - high + 1), rng.integers(0, photo.shape[1] - wide + 1)
        found.append(photo[top : top + high, left : left + wide])
    return found


def grey_photo(values):
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def cobbles(rng, cell_px, size=(160, 220)):
    y, x = np.mgrid[0 : size[0] + cell_px : cell_px, 0 : size[1] + cell_px : cell_px]
    y = np.clip(y + rng.uniform(-0.35, 0.35, y.shape) * cell_px, 0, size[0] - 1).astype(int)
    x = np.clip(x + rng.uniform(-0.35, 0.35, x.shape) * cell_px, 0, size[1] - 1).astype(int)
    seeds = np.ones(size, np.uint8)
    seeds[y, x] = 0
    _, cell = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    inside = np.ones(size, np.uint8)
    inside[:, 1:] &= cell[:, 1:] == cell[:, :-1]
    inside[1:] &= cell[1:] == cell[:-1]
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    joint = np.clip(1.5 - depth / max(1.5, 0.06 * cell_px), 0, 1)
    tone = rng.normal(1, 0.1, cell.max() + 1)[cell]
    noise = 1 + 0.06 * rng.standard_normal(size)
    return grey_photo(cv2.GaussianBlur(120 * tone * (1 - 0.5 * joint) * noise, (0, 0), 0.7))


def grating(rng, period_px, angle, thin):
    y, x = np.mgrid[0:160, 0:220]
    phase = (x * np.cos(angle) + y * np.sin(angle)) / period_px + rng.uniform()
    wave = (
        (np.abs(phase % 1 - 0.5) > max(0.06, 1 / period_px))
        if thin
        else 0.5 + 0.5 * np.cos(2 * np.pi * phase)
    )
    return grey_photo(70 + 90 * wave + rng.normal(0, 6, x.shape))


def sky(rng, colour=(0.6, 0.8, 1.0)):
    fall = np.linspace(rng.uniform(0.4, 0.8), rng.uniform(0.7, 1), 160)[:, None]
    light = (fall + 0.02 * smooth_noise(rng, 160, 220, 60))[..., None] * np.array(colour)
    return np.clip(255 * light + rng.normal(0, 2, (160, 220, 1)), 0, 255).astype(np.uint8)


def foliage(rng):
    leaves = sum(a * smooth_noise(rng, 160, 220, s) for a, s in ((0.3, 2), (0.35, 6), (0.4, 18), (0.3, 50)))
    return np.clip(np.exp(leaves)[..., None] * np.array([60, 95, 40]), 0, 255).astype(np.uint8)


def refused(photos, word):
    reasons = refusals(look_at(photos))
    assert any(word in reason for reason in reasons), (reasons, look_at(photos))


@pytest.mark.parametrize("grain_px", [None, 1.8, 4, 8, 12])
def test_cracked_pavement_is_fine(grain_px):
    look = look_at(pavement(1, grain_px=grain_px))
    assert refusals(look) == [] and look.no_road_share <= 0.2 and look.texture_share <= 0.2


@pytest.mark.parametrize("seed", [1, 2])
def test_alligator_cracking_in_most_photos_is_fine(seed):
    sound = pavement(seed, 4, cracked=0)
    assert refusals(look_at(sound + pavement(seed + 10, 6, cracked=1, network_share=1))) == []


def test_few_photos_and_copies_of_one():
    photos = pavement(3, 8)
    assert refusals(look_at(photos)) == []
    refused(photos[:7], "Only 7 different photos")
    refused(photos[:1], "Only 1 different photos")
    refused(photos[:1] * 20, "Only 1 different photos")
    refused([], "Only 0 different photos")


def test_black_overexposed_and_blank_photos():
    rng = np.random.default_rng(0)
    photos = pavement(4, 10)
    black = [rng.integers(0, 8, (144, 192, 3)).astype(np.uint8) for _ in range(12)]
    white = [rng.integers(250, 256, (144, 192, 3)).astype(np.uint8) for _ in range(12)]
    plain = [np.full((144, 192, 3), level, np.uint8) for level in range(60, 180, 10)]
    refused(black, "black")
    refused(white, "overexposed")
    refused(plain, "blank")
    refused(photos + black, "black")
    assert refusals(look_at(photos + black[:3])) == []
    # what there is to see is still measured
    assert look_at(photos + black[:3]).contrast == pytest.approx(look_at(photos).contrast)


@pytest.mark.parametrize(
    "name",
    [
        "astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png",
        "hubble_deep_field.jpg", "page.png", "text.png", "retina.jpg", "coins.png", "clock_motion.png",
        "ihc.png",
    ],
)  # fmt: skip
def test_photos_of_other_things(name):
    assert refusals(look_at(crops(name)))


def test_no_road_at_all():
    rng = np.random.default_rng(1)
    refused([sky(rng) for _ in range(9)], "road surface")
    refused([sky(rng, (0.8, 0.8, 0.8)) for _ in range(9)], "road surface")
    refused([foliage(rng) for _ in range(9)], "road surface")
    refused([grey_photo(rng.normal(128, 40, (160, 220))) for _ in range(9)], "road surface")
    names = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
    refused([photo for name in names for photo in crops(name, 2, (240, 320))], "road surface")


@pytest.mark.parametrize("cell_px", [16, 24, 40, 60])
def test_cobbles(cell_px):
    rng = np.random.default_rng(2)
    photos = [cobbles(rng, cell_px) for _ in range(9)]
    refused(photos, "repeating pattern")
    refused([255 - photo for photo in photos], "repeating pattern")


@pytest.mark.parametrize("scale", [0.35, 0.5, 1.0])
def test_bricks(scale):
    bricks = read(PHOTOS / "brick.png")
    assert refusals(look_at([resized(np.roll(bricks, 37 * n, (0, 1)), scale) for n in range(9)]))


@pytest.mark.parametrize("period_px", [5, 8, 12, 20, 32])
@pytest.mark.parametrize("thin", [True, False])
def test_gratings(period_px, thin):
    rng = np.random.default_rng(3)
    refused([grating(rng, period_px, angle, thin) for angle in np.linspace(0, 3, 9)], "repeating pattern")


@pytest.mark.parametrize("width_px", [2.0, 4.0, 8.0])
def test_width_and_contrast_of_a_known_crack(width_px):
    course = np.stack([np.linspace(0, 192, 40), 70 + 12 * np.sin(np.arange(40) / 5)], axis=1)
    photos = pavement(5, 8, 2, cracked=0, camera=False, brightness=0.4)
    look = look_at([draw_polyline_crack(photo, course, width_px, 0.6)[0] for photo in photos])
    assert look.crack_width_px == pytest.approx(width_px, rel=0.35)
    # the blur of its edges leaves a hairline paler than it is
    assert look.line_contrast == pytest.approx(0.36 if width_px < 3 else 0.6, abs=0.15)


def test_measures_follow_the_photos():
    photos = pavement(6, 8, 4, cracked=1, camera=False)
    look = look_at(photos)
    assert look.brightness == pytest.approx(np.mean([photo.mean() for photo in photos]) / 255, abs=0.02)
    blurred = look_at([cv2.GaussianBlur(photo, (0, 0), 1.5) for photo in photos])
    assert blurred.sharpness < 0.6 * look.sharpness and blurred.texture < look.texture
    fog = look_at([(0.5 * photo + 60).astype(np.uint8) for photo in photos])
    assert fog.contrast == pytest.approx(look.contrast / 2, rel=0.1)
    assert look_at(pavement(6, 8, 4, cracked=0, camera=False)).candidate_share < look.candidate_share


def test_only_the_region_counts():
    photos = pavement(7, 8, size=(160, 240))
    inside = np.zeros((160, 240), bool)
    inside[10:150, 20:200] = True
    beside = [np.where(inside[..., None], photo, np.uint8(255)) for photo in photos]
    black = [np.where(inside[..., None], photo, np.uint8(0)) for photo in photos]
    regions = [inside] * len(photos)
    assert look_at(beside, regions) == look_at(black, regions) == look_at(photos, regions)
    assert look_at(photos, [None] * len(photos)) == look_at(photos)
    with pytest.raises(EngineError, match="A region is 240 x 80 px, its photo 240 x 160"):
        look_at(photos, [inside[:80]] * len(photos))
    with pytest.raises(EngineError, match="7 regions for 8 photos"):
        look_at(photos, regions[1:])


def test_an_empty_region_and_tiny_photos():
    photo = pavement(8, 1)[0]
    assert look_at_photo(photo, np.zeros(photo.shape[:2], bool)).kind == ROAD
    assert look_at_photo(photo[:9, :7]).brightness > 0
    assert look_at_photo(np.zeros((1, 1, 3), np.uint8)).kind == BLACK


def test_large_surveys_are_sampled(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "engine.survey_look.look_at_photo", lambda *given: (seen.append(1), look_at_photo(*given))[1]
    )
    rng = np.random.default_rng(9)
    look = look_at([grey_photo(rng.integers(60, 160, (40, 40))) for _ in range(100)])
    assert (look.images, look.looked_at, len(seen)) == (100, MOST_LOOKED_AT, MOST_LOOKED_AT)


def test_a_look_survives_a_card():
    for look in (look_at(pavement(10, 8)), look_at(pavement(10, 8, cracked=0)), look_at([])):
        assert SurveyLook.from_dict(json.loads(json.dumps(look.as_dict()))) == look
    values = look_at([]).as_dict()
    with pytest.raises(EngineError, match="cannot be read"):
        SurveyLook.from_dict({**values, "contrast": "high"})
    del values["texture"]
    with pytest.raises(EngineError, match="texture"):
        SurveyLook.from_dict(values)


def test_drift_in_words():
    photos = pavement(11, 10, 4, cracked=1, brightness=0.45)
    known = look_at(photos)
    assert not drift_report(known, known).advised
    dark = drift_report(known, look_at([(0.4 * photo).astype(np.uint8) for photo in photos]))
    assert dark.advised and any("much darker than those that the checkpoint knew" in r for r in dark.reasons)
    assert dark.measures["brightness"]["drifted"] and dark.measures["brightness"]["distance"] > 1
    blurred = drift_report(known, look_at([cv2.GaussianBlur(photo, (0, 0), 2) for photo in photos]))
    assert any("more blurred" in reason for reason in blurred.reasons)
    unknown = drift_report(None, known)
    assert unknown.advised and unknown.reasons
    json.dumps([dark.as_dict(), unknown.as_dict()])


def test_the_same_pavement_has_not_drifted():
    photos = pavement(12, 60, 4, size=(112, 144))
    report = drift_report(look_at(photos[::2]), look_at(photos[1::2]))
    assert not report.advised, report.reasons


def real(folder, scale=1.0, count=48):
    files = sorted((folder / "images").glob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(files))[:count]
    return [resized(read(files[n]), scale) for n in chosen]


def lanes(folder, count=24):
    photos, regions = [], []
    for file in sorted((folder / "frames").glob("*.jpg"))[:: 300 // count]:
        lane = cv2.imread(str(folder / "masks" / "lane" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE) > 127
        if lane.any():
            photos.append(read(file)[80:])
            regions.append(lane[80:])
    return photos, regions


@pytest.mark.real_data
@pytest.mark.timeout(300)
def test_real_surveys_are_fine_and_have_looks_of_their_own(data_dir):
    cfd, crack500 = real(data_dir / "cfd"), real(data_dir / "crack500", 0.35)
    photos, regions = lanes(data_dir / "dnit_br290")
    halves = {
        "cfd": (look_at(cfd[::4]), look_at(cfd[1::4])),
        "crack500": (look_at(crack500[::2]), look_at(crack500[1::2])),
        "dnit": (look_at(photos[::2], regions[::2]), look_at(photos[1::2], regions[1::2])),
    }
    for name, (first, second) in halves.items():
        for look in (first, second):
            assert refusals(look) == [], name
            assert look.no_road_share <= 0.2 and look.texture_share <= 0.2, name
        assert not drift_report(first, second).advised, (name, drift_report(first, second))
        for other, (look, _) in halves.items():
            assert other == name or drift_report(first, look).advised, (name, other)


@pytest.mark.real_data
@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0])
def test_crack500_is_fine_at_any_scale(data_dir, scale):
    look = look_at(real(data_dir / "crack500", scale, 10))
    assert refusals(look) == [] and look.no_road_share <= 0.2 and look.texture_share <= 0.2
