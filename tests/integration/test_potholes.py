"""Potholes from a network with a class of them, through an analysis to the stored distress."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from sqlalchemy import select

from app import actions
from db.models import AnalysisResult, Distress, DistressQuantity
from db.session import reading
from engine.cards import CheckpointCard, read_card
from engine.checkpoints import load_checkpoint, save_checkpoint
from engine.errors import CheckpointError
from engine.models import create_model
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.checkpoints import write_checkpoint
from tests.integration.surveys import import_photos

NAMES = ["none", "crack", "pothole"]
SIDE_PX, HOLE_PX, GSD = 256, 60, 5.0


def dark_and_bright() -> torch.Tensor:
    """A picture of grey road with a black square."""
    road = torch.full((1, 3, SIDE_PX, SIDE_PX), 0.6)
    road[..., 90 : 90 + HOLE_PX, 120 : 120 + HOLE_PX] = 0.05
    return road


def trained(folder: Path, names: list[str]) -> Path:
    """A tiny network of three classes that has learnt in seconds to call black squares potholes."""
    torch.manual_seed(0)
    options = {"filters": (4, 4, 4, 4), "classes": 3}
    model = create_model("attention_resunet", **options)
    road = dark_and_bright()
    truth = torch.zeros((1, SIDE_PX, SIDE_PX), dtype=torch.long)
    truth[:, 90 : 90 + HOLE_PX, 120 : 120 + HOLE_PX] = 2
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(road), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    card = CheckpointCard("holes", "attention_resunet", options, 0.5, 1.0, origin="base", class_names=names)
    path = folder / f"holes{len(names)}.safetensors"
    save_checkpoint(path, model, card)
    return path


def photo(folder: Path) -> Path:
    folder.mkdir()
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), (153, 153, 153))
    picture.paste((13, 13, 13), (120, 90, 120 + HOLE_PX, 90 + HOLE_PX))
    picture.save(folder / "road.png")
    return folder


def kinds(survey_id: int, checkpoint: Path) -> set[str]:
    run_job(actions.request_analysis(actions.local_actor(), survey_id, str(checkpoint)), WORK_OF)
    with reading() as session:
        last = session.scalars(select(AnalysisResult).order_by(AnalysisResult.id.desc())).first()
        assert last is not None and last.error is None, last and last.error
        own = select(Distress.kind).where(Distress.result_id == last.id)
        assert bool(last.settings.get("potholes")) == (checkpoint.stem == "holes3")
        return set(session.scalars(own))


@pytest.mark.usefixtures("sqlite_database")
def test_a_network_with_a_class_of_potholes_finds_them_and_calls_them_no_cracks(tmp_path: Path) -> None:
    survey_id = import_photos(photo(tmp_path / "photos"), gsd=GSD)
    assert "pothole" not in kinds(survey_id, write_checkpoint(tmp_path / "binary.safetensors"))
    assert kinds(survey_id, trained(tmp_path, NAMES)) == {"pothole"}
    with reading() as session:
        hole = session.scalars(select(Distress).where(Distress.kind == "pothole")).one()
        quantity = session.scalars(select(DistressQuantity).where(DistressQuantity.kind == "pothole")).one()
        result = session.get_one(AnalysisResult, hole.result_id)
    true_m2 = (HOLE_PX * GSD / 1000) ** 2
    assert hole.area_m2 == pytest.approx(true_m2, rel=0.25)
    assert hole.severity is None and hole.outline_px and hole.polylines_px == []
    assert (quantity.severity, quantity.count) == ("not_measurable", 1)
    assert quantity.area_m2 == pytest.approx(hole.area_m2)
    # a pothole is no crack: it is in no crack density
    assert result.crack_length_m == 0 and result.crack_pixels == 0


def test_without_names_all_classes_but_the_first_are_cracks(tmp_path: Path) -> None:
    named, _ = load_checkpoint(trained(tmp_path, NAMES))
    unnamed, _ = load_checkpoint(trained(tmp_path, []))
    road = dark_and_bright()
    assert named.pothole_class == 2 and unnamed.pothole_class is None
    middle = (0, 90 + HOLE_PX // 2, 120 + HOLE_PX // 2)
    assert named.eval().probability(road)[middle] < 0.5 < unnamed.eval().probability(road)[middle]
    torch.testing.assert_close(
        named.probability(road) + named.pothole_probability(road), unnamed.probability(road)
    )


def test_a_card_names_every_output_or_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no usable"):
        read_card(trained(tmp_path, NAMES[:2]))
