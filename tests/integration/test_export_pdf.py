"""The report of an analysed survey from the database, with its photos from storage."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import delete, insert, select, update

from app import identity
from db.models import Agency, AnalysisResult, Distress, Survey, SurveyImage
from db.session import reading, transaction
from db.storage import get_storage
from engine.errors import EngineError
from engine.vocabulary import DistressType, ExportFormat
from jobs.export import make_export
from jobs.export.data import read_export_data
from jobs.export.pdf.facts import gather, worst_photo
from jobs.export.pictures import stored_pictures
from tests.integration.exports import save_plan
from tests.unit.web.measured import Measured, fill_measured
from tests.unit.web.rows import png

both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def report(measured: Measured, folder: Path, **options: object) -> PdfReader:
    with reading() as session:
        path, _ = make_export(
            session, agency_id(), measured.survey, ExportFormat.PDF, folder=folder, **options
        )
    return PdfReader(path)


def agency_id() -> int:
    return identity.current_actor().agency_id


def text_of(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in reader.pages)


def give_cracks(measured: Measured) -> None:
    """Each photo of the survey gets a crack across it, of a known type."""
    with transaction() as session:
        results = session.scalars(
            select(AnalysisResult.id)
            .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
            .where(SurveyImage.survey_id == measured.survey)
        ).all()
        crack = {
            "kind": "transverse", "severity": "low", "length_px": 55.0, "mean_width_px": 3.0,
            "max_width_px": 3.0, "area_px": 165, "polylines_px": [[[5, 21], [59, 21]]],
        }  # fmt: skip
        session.execute(insert(Distress), [{"result_id": result, **crack} for result in results])


def first_photo(measured: Measured) -> int:
    with reading() as session:
        return (
            session.scalars(
                select(SurveyImage.id)
                .where(SurveyImage.survey_id == measured.survey)
                .order_by(SurveyImage.id)
            ).first()
            or 0
        )


@both
def test_the_report_of_a_survey_with_a_plan(tmp_path: Path) -> None:
    measured = fill_measured()
    give_cracks(measured)
    plan_id = save_plan(measured, "Five years", 500_000.0)
    reader = report(measured, tmp_path, paper="Letter", plan_id=plan_id)
    text = text_of(reader)
    for part in ("Priorities for road maintenance", "Five years", "County 2025", "The first projects"):
        assert part in text
    with reading() as session:
        data = read_export_data(session, agency_id(), measured.survey, plan_id, distresses=False)
    assert len(data.projects) > 0
    for project in gather(data).projects:
        assert f"{project['cost']:,.0f}" in text
        assert project["treatment"] in text
        photo = worst_photo(gather(data), project["keys"])
        assert photo is not None
        assert f"Its most cracked photo, {photo['name']}" in text
    assert "Lines: transverse" in text
    # Each project's photo twice: as taken, and marked.
    pictures = sum(len(page.images) for page in reader.pages)
    assert pictures == 2 * min(20, len(data.projects))


@one
def test_without_a_plan_the_worst_section_comes_first(tmp_path: Path) -> None:
    measured = fill_measured()
    text = text_of(report(measured, tmp_path))
    assert "This report has no plan" in text
    with reading() as session:
        sections = read_export_data(session, agency_id(), measured.survey, distresses=False).sections
    worst = sections.sort_values("condition_index").iloc[0]
    assert f"1. {worst['road']}" in text


@one
def test_a_photo_that_left_storage_leaves_a_note_in_the_report(tmp_path: Path) -> None:
    measured = fill_measured()
    with reading() as session:
        hashes = session.scalars(select(SurveyImage.content_hash)).all()
    for content_hash in set(hashes):
        if get_storage().exists(content_hash):
            get_storage().delete(content_hash)
    text = text_of(report(measured, tmp_path))
    assert "is no longer in storage" in text


@both
def test_a_picture_shows_the_stored_photo_with_its_cracks() -> None:
    measured = fill_measured()
    give_cracks(measured)
    with reading() as session:
        photo = first_photo(measured)
        picture = stored_pictures(session, agency_id())(photo)
    assert picture.kinds == (DistressType.TRANSVERSE,)
    plain, marked = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        for data in (picture.plain, picture.marked)
    )
    difference = abs(plain - marked).max(axis=2)
    assert difference[19:24, 10:55].mean() > 40
    assert difference[35:].mean() < 12


@one
def test_a_mask_is_drawn_where_there_are_no_distresses_and_left_out_where_it_is_gone() -> None:
    measured = fill_measured()
    mask = np.zeros((48, 64), np.uint8)
    mask[20:23, 5:60] = 255
    photo = first_photo(measured)
    content_hash = get_storage().put(png(mask))
    with transaction() as session:
        session.execute(
            update(AnalysisResult).where(AnalysisResult.image_id == photo).values(mask_hash=content_hash)
        )
        session.execute(delete(Distress))
    with reading() as session:
        assert stored_pictures(session, agency_id())(photo).kinds == (DistressType.CRACK,)
        get_storage().delete(content_hash)
        assert stored_pictures(session, agency_id())(photo).kinds == ()


@one
def test_no_picture_of_another_agency_nor_of_a_damaged_file() -> None:
    measured = fill_measured()
    photo = first_photo(measured)
    with transaction() as session:
        other = Agency(name="Elsewhere")
        session.add(other)
        session.flush()
        foreign = other.id
    with reading() as session:
        with pytest.raises(EngineError, match="no longer in the survey"):
            stored_pictures(session, foreign)(photo)
        assert session.get_one(Survey, measured.survey).agency_id != foreign
    with transaction() as session:
        broken = get_storage().put(b"no picture at all")
        session.execute(update(SurveyImage).where(SurveyImage.id == photo).values(content_hash=broken))
    with reading() as session, pytest.raises(EngineError):
        stored_pictures(session, agency_id())(photo)
