import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from engine.data_folders import CFD_BAD_LABEL, photo_of
from engine.datasets import (
    LAYOUTS,
    find_pairs,
    open_data_set,
    read_class_numbers,
    read_field_of_view,
    read_pair,
)
from engine.errors import EngineError, SettingsError

HEIGHT, WIDTH = 24, 32
TRUTH = np.zeros((HEIGHT, WIDTH), bool)
TRUTH[4:8, 3:29] = True


def write(file, array):
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".gif":
        Image.fromarray(array).save(file)
    else:
        assert cv2.imwrite(str(file), array)


def photo(file):
    write(file, np.full((HEIGHT, WIDTH, 3), 128, np.uint8))


def mask(file, truth=TRUTH, crack=255, ground=0):
    write(file, np.where(truth, crack, ground).astype(np.uint8))


def matlab(file, numbers):
    file.parent.mkdir(parents=True, exist_ok=True)
    savemat(file, {"groundTruth": {"Segmentation": numbers, "Boundaries": np.zeros_like(numbers)}})


def stems(pairs):
    return [pair.image.stem for pair in pairs]


def both(root, names, images="images", masks="masks", suffix=".png", **coding):
    for name in names:
        photo(root / images / f"{name}.jpg")
        mask(root / masks / f"{name}{suffix}", **coding)


def every_truth(data_set):
    pairs = data_set.part("all")
    return pairs and all(np.array_equal(read_pair(pair)[1], TRUTH) for pair in pairs)


def make_cfd(root):
    numbers = np.where(TRUTH, 2, 1).astype(np.uint8)
    numbers[12:18, 3:9], numbers[12:18, 12:18] = 3, 4  # areas that cracks enclose are no cracks
    for number in (1, 2, CFD_BAD_LABEL, 72, 73, 118):
        photo(root / "image" / f"{number:03d}.jpg")
        matlab(root / "groundTruth" / f"{number:03d}.mat", numbers)


def make_crack500(root):
    for side, name in (("train", "a_1_1"), ("train", "b_1_1"), ("val", "c_1_1"), ("test", "d_1_1")):
        photo(root / f"{side}crop" / f"{name}.jpg")
        mask(root / f"{side}crop" / f"{name}.png")
        photo(root / f"{side}crop" / f"{name}_mask.jpg")
    (root / "train.txt").write_text("traincrop/a_1_1.jpg traincrop/a_1_1.png\n")


def make_deepcrack(root):
    both(root, ["a", "b"], "train_img", "train_lab")
    both(root, ["c"], "test_img", "test_lab")


def make_cracktree200(root):
    names = [f"{6000 + number}" for number in range(103)]
    both(root, names, "cracktree200rgb", "cracktree200_gt", crack=0, ground=255)


def make_gaps384(root):
    names = [f"train_{photo:04d}_{part}_641" for photo in range(5) for part in (1, 541)]
    both(root, names, "croppedimg", "croppedgt")


def make_sylvie(root):
    both(root, [str(number) for number in range(10)], "img", "masks_machine")


def make_aiglern(root):
    for name in ("C18a", "C18b", "F01a", "F01b"):
        photo(root / "TITS" / "IMAGES" / "AIGLE_RN" / f"Im_GT_AIGLE_RN_{name}or.png")
        mask(root / "TITS" / "GROUND_TRUTH" / "AIGLE_RN" / f"GT_AIGLE_RN_{name}.png", crack=0, ground=255)
    photo(root / "TITS" / "IMAGES" / "AIGLE_RN" / "Im_noGT_AIGLE_RN_D01aor.png")


def make_drive(root):
    for side, first in (("training", 21), ("test", 1)):
        for number in (first, first + 1):
            ending = "training" if side == "training" else "test"
            photo(root / side / "images" / f"{number:02d}_{ending}.tif")
            mask(root / side / "1st_manual" / f"{number:02d}_manual1.gif")
            inside = np.zeros((HEIGHT, WIDTH), bool)
            inside[:, :20] = True
            mask(root / side / "mask" / f"{number:02d}_{ending}_mask.gif", inside)


def prefixed(prefix, ending=""):
    return lambda root: both(root, [f"{prefix}_{n}{ending}" for n in range(10)], suffix=".jpg")


def crops_of(prefix):
    """Four crops of each of five photos."""
    names = [f"{prefix}{photo}_{n}_0_384_576" for photo in range(5) for n in range(4)]
    return lambda root: both(root, names, suffix=".jpg")


def make_collection(root):
    for side, first in (("train", 1), ("test", 50)):
        for prefix in ("CFD", "CRACK500_2016", "Volker_DSC", "noncrack_wall"):
            names = [f"{prefix}_{first + n:03d}" for n in range(3)]
            both(root / side, names, suffix=".jpg")


# layout -> how to make one, images to train, validate and test with, whether it is recognised
MADE = {
    "cfd": (make_cfd, 3, 0, 2, True),
    "crack500": (make_crack500, 1, 1, 1, True),
    "deepcrack": (make_deepcrack, 2, 0, 1, True),
    "cracktree200": (make_cracktree200, 82, 0, 21, True),
    "gaps384": (make_gaps384, 8, 0, 2, True),
    "sylvie": (make_sylvie, 8, 0, 2, True),
    "aiglern": (make_aiglern, 3, 0, 1, True),
    "drive": (make_drive, 2, 0, 2, True),
    "forest": (prefixed("forest"), 8, 0, 2, True),
    "eugen_miller": (prefixed("Eugen_Muller_img"), 8, 0, 2, True),
    "rissbilder": (crops_of("Rissbilder_for_Florian_9S6A"), 16, 0, 4, True),
    "volker": (crops_of("Volker_DSC"), 16, 0, 4, True),
    "crackseg9k": (make_collection, 12, 0, 12, True),
    "crackseg5k": (lambda root: both(root, [f"p{n}_1_2" for n in range(40)]), 36, 2, 2, False),
    "folder": (lambda root: both(root, [f"road{n}" for n in range(10)]), 8, 0, 2, True),
}


def test_every_layout_is_made_here():
    assert set(MADE) == set(LAYOUTS)


@pytest.mark.parametrize("name", MADE)
def test_layout_is_read(tmp_path, name):
    make, train, validation, test, recognised = MADE[name]
    make(tmp_path)
    data_set = open_data_set(tmp_path, name)
    assert (len(data_set.train), len(data_set.validation), len(data_set.test)) == (train, validation, test)
    assert not {p.image for p in data_set.train} & {p.image for p in data_set.test + data_set.validation}
    assert every_truth(data_set)
    assert open_data_set(tmp_path).layout == (name if recognised else "folder")
    assert data_set == open_data_set(tmp_path, name)


@pytest.mark.parametrize("name", ["volker", "rissbilder", "gaps384"])
def test_crops_of_a_photo_stay_on_one_side(tmp_path, name):
    MADE[name][0](tmp_path)
    data_set = open_data_set(tmp_path)
    parts = 2 if name == "gaps384" else 4
    photos = [{photo_of(s, parts) for s in stems(part)} for part in (data_set.train, data_set.test)]
    assert not photos[0] & photos[1] and len(photos[0] | photos[1]) == 5


def test_enclosed_areas_are_no_cracks_and_the_bad_label_is_left_out(tmp_path):
    make_cfd(tmp_path)
    data_set = open_data_set(tmp_path)
    assert data_set.layout == "cfd"
    assert stems(data_set.train) == ["001", "002", "072"] and stems(data_set.test) == ["073", "118"]
    assert read_pair(data_set.train[0])[1].sum() == TRUTH.sum()
    assert np.unique(read_class_numbers(data_set.train[0])).tolist() == [1, 2, 3, 4]


def test_forest_in_its_own_folder_is_read_from_matlab(tmp_path):
    make_cfd(tmp_path)
    data_set = open_data_set(tmp_path, "forest")
    assert len(data_set.train) + len(data_set.test) == 6 and every_truth(data_set)


def test_lists_of_crack500_choose_among_its_crops(tmp_path):
    make_crack500(tmp_path)
    assert stems(open_data_set(tmp_path).train) == ["a_1_1"]
    (tmp_path / "train.txt").unlink()
    assert stems(open_data_set(tmp_path).train) == ["a_1_1", "b_1_1"]


def test_folders_repeated_by_an_archive(tmp_path):
    for side in ("train", "test"):
        photo(tmp_path / f"{side}crop" / f"{side}crop" / "a_1_1.jpg")
        mask(tmp_path / f"{side}crop" / f"{side}crop" / "a_1_1.png")
    data_set = open_data_set(tmp_path)
    assert data_set.layout == "crack500" and len(data_set.train) == len(data_set.test) == 1


def test_one_set_out_of_the_collection(tmp_path):
    make_collection(tmp_path)
    assert stems(open_data_set(tmp_path, "volker").test) == [f"Volker_DSC_0{n}" for n in (50, 51, 52)]
    assert len(open_data_set(tmp_path, "cfd").part("all")) == 6
    with pytest.raises(EngineError, match="no images named sylvie"):
        open_data_set(tmp_path, "sylvie")


def test_the_same_photo_under_two_names_stays_on_one_side(tmp_path):
    both(tmp_path, [f"{prefix}_{n:03d}" for prefix in ("CFD", "forest") for n in range(1, 21)])
    data_set = open_data_set(tmp_path)
    assert data_set.layout == "crackseg9k"
    numbers = [{stem.split("_")[1] for stem in stems(part)} for part in (data_set.train, data_set.test)]
    assert not numbers[0] & numbers[1] and len(data_set.test) == 8


def test_only_the_field_of_view_of_drive_counts(tmp_path):
    make_drive(tmp_path)
    pair = open_data_set(tmp_path).train[0]
    assert pair.image.name == "21_training.tif" and pair.mask.name == "21_manual1.gif"
    inside = read_field_of_view(pair)
    assert inside is not None and inside[:, :20].all() and not inside[:, 20:].any()
    assert pair.field_of_view is not None
    mask(pair.field_of_view, TRUTH[:10])
    with pytest.raises(EngineError, match=r"21_training_mask\.gif is 32x10 px, its image 32x24"):
        read_field_of_view(pair)


def test_a_folder_has_no_field_of_view(tmp_path):
    both(tmp_path, ["a"])
    assert read_field_of_view(find_pairs(tmp_path)[0]) is None


def test_drive_without_labels_of_the_test_images(tmp_path):
    make_drive(tmp_path)
    for file in (tmp_path / "test" / "1st_manual").iterdir():
        file.unlink()
    (tmp_path / "test" / "1st_manual").rmdir()
    with pytest.raises(EngineError, match="1st_manual"):
        open_data_set(tmp_path)


def test_split_of_a_folder_by_folders_lists_and_seed(tmp_path):
    names = [f"road{n}" for n in range(10)]
    both(tmp_path, names)
    first, again, other = (open_data_set(tmp_path, seed=seed) for seed in (1, 1, 2))
    assert first == again and first.train != other.train
    assert sorted(stems(first.train + first.test)) == names
    (tmp_path / "train.txt").write_text("road3\nimages/road1.jpg masks/road1.png\n\n")
    (tmp_path / "test.txt").write_text("road2.jpg\n")
    (tmp_path / "val.txt").write_text("road9\n")
    listed = open_data_set(tmp_path)
    parts = (listed.train, listed.validation, listed.test)
    assert [stems(part) for part in parts] == [["road1", "road3"], ["road9"], ["road2"]]
    both(tmp_path / "Train", ["a"])
    both(tmp_path / "test", ["b"], "IMG", "GT")
    published = open_data_set(tmp_path)
    assert [stems(p) for p in (published.train, published.test)] == [["a"], ["b"]]


def test_split_inside_images_and_masks(tmp_path):
    both(tmp_path, ["a", "b"], "images/train", "masks/train")
    both(tmp_path, ["c"], "images/test", "masks/test")
    data_set = open_data_set(tmp_path)
    assert [stems(p) for p in (data_set.train, data_set.test)] == [["a", "b"], ["c"]]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_neither_side_of_a_small_folder_is_empty(tmp_path, count):
    both(tmp_path, [f"r{n}" for n in range(count)])
    for seed in range(4):
        data_set = open_data_set(tmp_path, seed=seed)
        assert data_set.train and data_set.test and len(data_set.part("all")) == count


@pytest.mark.parametrize(
    ("suffix", "coding"),
    [
        (".png", {}),
        (".png", {"crack": 1}),
        (".gif", {}),
        (".bmp", {"crack": 0, "ground": 255}),
        (".png", {"crack": 0, "ground": 1}),
        (".jpg", {}),
        (".jpg", {"crack": 0, "ground": 255}),
    ],
)
def test_masks_however_they_are_coded(tmp_path, suffix, coding):
    both(tmp_path, ["a", "b", "c"], suffix=suffix, **coding)
    photo(tmp_path / "images" / "sound.jpg")
    sound = np.full((HEIGHT, WIDTH), coding.get("ground", 0), np.uint8)
    write(tmp_path / "masks" / f"sound{suffix}", sound)
    for pair in open_data_set(tmp_path).part("all"):
        expected = TRUTH if pair.image.stem != "sound" else np.zeros_like(TRUTH)
        assert np.array_equal(read_pair(pair)[1], expected)


def test_masks_with_an_ending(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    mask(tmp_path / "masks" / "a_mask.png")
    assert find_pairs(tmp_path)[0].mask.name == "a_mask.png"


def test_class_numbers_are_taken_exactly(tmp_path):
    both(tmp_path, ["a"], crack=7)
    pair = find_pairs(tmp_path)[0]
    assert not read_pair(pair)[1].any()
    assert np.array_equal(read_pair(type(pair)(pair.image, pair.mask, (7,)))[1], TRUTH)
    assert np.array_equal(read_class_numbers(pair), np.where(TRUTH, 7, 0))


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    with pytest.raises(EngineError, match="no folder"):
        open_data_set(tmp_path / "nowhere")
    with pytest.raises(EngineError, match="images/ and masks/"):
        open_data_set(tmp_path)
    with pytest.raises(SettingsError, match=r"no layout 'cdf'.*cfd"):
        open_data_set(tmp_path, "cdf")
    with pytest.raises(EngineError, match=r"not laid out as DRIVE.*1st_manual"):
        open_data_set(tmp_path, "drive")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(EngineError, match="holds no images"):
        open_data_set(tmp_path)
    both(tmp_path, ["a", "b", "c"])
    for name in "ab":
        (tmp_path / "masks" / f"{name}.png").unlink()
    with pytest.raises(EngineError, match=r"a\.jpg has no mask .*1 more"):
        open_data_set(tmp_path)
    with pytest.raises(EngineError, match=r"a\.jpg is not one of CrackForest|a\.jpg has no mask"):
        open_data_set(tmp_path, "cfd")
    with pytest.raises(SettingsError, match="no split 'tests'"):
        both(tmp_path, ["a", "b"])
        open_data_set(tmp_path).part("tests")


def test_other_images_are_not_crackforest(tmp_path):
    both(tmp_path, ["001", "119"])
    with pytest.raises(EngineError, match=r"119\.jpg is not one of CrackForest"):
        open_data_set(tmp_path, "cfd")


def test_half_a_split_is_refused(tmp_path):
    both(tmp_path / "train", ["a"])
    with pytest.raises(EngineError, match="no images and masks for test"):
        open_data_set(tmp_path)


def test_a_list_that_names_no_image(tmp_path):
    both(tmp_path, ["a", "b"])
    (tmp_path / "train.txt").write_text("a\n")
    (tmp_path / "test.txt").write_text("z\n")
    with pytest.raises(EngineError, match=r"no image .*z"):
        open_data_set(tmp_path)
    (tmp_path / "test.txt").write_bytes(b"\xff\xfe\x00b")
    with pytest.raises(EngineError, match="not a text file"):
        open_data_set(tmp_path)


def test_what_is_wrong_with_a_mask_is_said(tmp_path):
    both(tmp_path, ["a"])
    pair = find_pairs(tmp_path)[0]
    mask(pair.mask, TRUTH[:10])
    with pytest.raises(EngineError, match=r"a\.png is 32x10 px, its image 32x24"):
        read_pair(pair)
    pair.mask.write_bytes(b"no image")
    with pytest.raises(EngineError, match=r"a\.png is not a readable image"):
        read_pair(pair)
    gif = tmp_path / "a.gif"
    gif.write_bytes(b"GIF89a no more")
    with pytest.raises(EngineError, match=r"a\.gif is not a readable image"):
        read_pair(type(pair)(pair.image, gif))


MATLAB_73 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + bytes(64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MATLAB_73, r"a\.mat is a MATLAB 7\.3 file.*-v7"),
        (b"no matlab", r"a\.mat holds no readable"),
        (b"", "a.mat"),
    ],
)
def test_what_is_wrong_with_a_matlab_file_is_said(tmp_path, content, message):
    photo(tmp_path / "image" / "001.jpg")
    file = tmp_path / "groundTruth" / "a.mat"
    file.parent.mkdir()
    file.write_bytes(content)
    both(tmp_path, ["b"])
    pair = find_pairs(tmp_path)[0]
    with pytest.raises(EngineError, match=message):
        read_pair(type(pair)(pair.image, file))


def test_a_matlab_file_of_something_else(tmp_path):
    both(tmp_path, ["b"])
    pair = find_pairs(tmp_path)[0]
    savemat(tmp_path / "a.mat", {"other": np.ones((2, 2))})
    with pytest.raises(EngineError, match=r"no readable groundTruth\.Segmentation"):
        read_pair(type(pair)(pair.image, tmp_path / "a.mat"))


def test_the_guide_names_every_layout(request):
    guide = (request.config.rootpath / "docs" / "data_sets.md").read_text()
    for name, layout in LAYOUTS.items():
        assert f"`{name}`" in guide and layout.licence in guide, name


@pytest.mark.real_data
def test_real_cfd(data_dir):
    data_set = open_data_set(data_dir / "cfd")
    assert (data_set.layout, len(data_set.train), len(data_set.test)) == ("cfd", 71, 46)
    shares = [read_pair(pair)[1].mean() for pair in data_set.part("all")]
    assert 0.01 < np.mean(shares) < 0.03 and max(shares) < 0.1  # enclosed areas would be far more
    contrast = []
    for pair in data_set.part("all"):
        image, truth = read_pair(pair)
        assert image.shape == (320, 480, 3)
        contrast.append((image[~truth].mean() - image[truth].mean()) / image.std())
    assert min(contrast) > 0.3  # every label lies on something darker; that of 042 does not


@pytest.mark.real_data
def test_real_crack500(data_dir):
    data_set = open_data_set(data_dir / "crack500")
    assert data_set.layout == "crack500" and len(data_set.part("all")) == 240
    assert abs(len(data_set.train) - 192) <= 8
    photos = [{photo_of(s, 2) for s in stems(part)} for part in (data_set.train, data_set.test)]
    assert not photos[0] & photos[1]
    image, truth = read_pair(data_set.test[0])
    assert image.shape == (360, 640, 3) and 0 < truth.mean() < 0.5
