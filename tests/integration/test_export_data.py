"""What exported files are made of, read from both databases."""

import gc
import json

import geopandas as gpd
import numpy as np
import pytest
from pyproj import Geod
from sqlalchemy import delete, event, insert, select, update

from db import export_queries
from db.models import Agency, AnalysisResult, Distress, Plan, SectionResult, Survey, SurveyImage
from db.session import reading, transaction
from engine.errors import SettingsError
from engine.project_table import PROJECT_COLUMNS
from jobs.export.data import (
    DISTRESS_COLUMNS,
    PHOTO_COLUMNS,
    SECTION_COLUMNS,
    ExportData,
    read_export_data,
)
from tests.integration.exports import HEADING_DEG, fill_exported, save_plan
from tests.unit.web.measured import UNSURVEYED, WEAR, Measured, fill_measured

both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def read(filled: Measured, plan_id: int | None = None, distresses: bool = True) -> ExportData:
    with reading() as session:
        agency_id = session.get_one(Survey, filled.survey).agency_id
        return read_export_data(session, agency_id, filled.survey, plan_id, distresses=distresses)


@both
def test_sections_photos_and_units_are_as_stored() -> None:
    filled = fill_exported()
    data = read(filled)
    for frame, columns in (
        (data.sections, SECTION_COLUMNS), (data.photos, PHOTO_COLUMNS), (data.distresses, DISTRESS_COLUMNS),
    ):  # fmt: skip
        assert list(frame) == [*columns, "geometry"] and frame.crs == "EPSG:4326"
    sections = data.sections.set_index("section_key")
    assert set(sections.index) == {*WEAR, UNSURVEYED}
    assert list(data.sections["road"]) == sorted(data.sections["road"])
    with reading() as session:
        stored = session.query(SectionResult).filter_by(
            survey_id=filled.survey, section_id=filled.sections["R2-2"]
        ).one()  # fmt: skip
    assert stored.surveyed_share is not None and stored.quantities is not None
    worst = sections.loc["R2-2"]
    assert worst["condition_index"] == stored.condition_index
    assert worst["condition_index_low"] <= worst["condition_index"] <= worst["condition_index_high"]
    assert worst["surveyed_share_percent"] == pytest.approx(100 * stored.surveyed_share)
    assert worst["crack_area_percent"] == pytest.approx(100 * stored.crack_area_ratio)
    sums = [q["length_m"] for q in stored.quantities if q["kind"] == "longitudinal"]
    assert worst["longitudinal_m"] == pytest.approx(sum(sums)) and worst["worst_severity"] == "high"
    assert worst["condition_class"] == "poor" and sections.loc["R1-1", "condition_class"] == "good"
    assert sections.loc["R1-1", "alligator_m2"] == 0 and sections.loc["R1-1", "worst_severity"] is None
    bare = sections.loc[UNSURVEYED]
    assert bare["images"] == 0 and np.isnan(bare["condition_index"]) and np.isnan(bare["alligator_m2"])
    units = data.units[data.units["section_key"] == "R2-2"]
    assert list(units["unit"]) == [1, 2, 3, 4] and list(units["from_m"]) == [400.0, 500.0, 600.0, 700.0]
    of_units = data.quantities[data.quantities["section_key"] == "R2-2"]
    whole = of_units[of_units["type"] == "longitudinal"]["length_m"].sum()
    assert whole == pytest.approx(sum(sums))
    assert len(data.photos) == 19 * len(WEAR) and data.plan is None and not len(data.projects)


@both
def test_distresses_lie_where_the_camera_saw_them() -> None:
    data = read(fill_exported())
    photos = data.photos.set_index("photo_id")
    found = data.distresses.sort_values("photo_id").reset_index(drop=True)
    assert list(found["placed_by"][:4]) == ["photo heading", "photo point", None, "road heading"]
    geod = Geod(ellps="WGS84")
    camera = photos.geometry[found["photo_id"][0]]
    start = found.geometry[0].geoms[0].coords[0]
    azimuth, _, away_m = geod.inv(camera.x, camera.y, *start)
    assert away_m == pytest.approx(1.0, abs=0.003) and azimuth == pytest.approx(HEADING_DEG, abs=0.3)
    assert geod.geometry_length(found.geometry[0]) == pytest.approx(2.5, abs=0.004)
    assert found.geometry[1] == photos.geometry[found["photo_id"][1]] and found.geometry[2].is_empty
    # Travelling against the section, which runs east: the middle of the outline is ahead, to the west.
    hole, place = found.geometry[3], photos.geometry[found["photo_id"][3]]
    assert hole.geom_type == "Point" and hole.x < place.x
    assert found["section_key"][0] == photos["section_key"][found["photo_id"][0]]
    notes = data.provenance["notes"]
    assert "1 of 95 distresses lie at their photo's point" in notes and "1 unknown" in notes
    assert "1 of 95 distresses have no place" in notes


@both
def test_distresses_come_along_the_road_and_only_their_keys_are_sorted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled = fill_exported()
    with transaction() as session:
        session.execute(
            update(SurveyImage)
            .where(SurveyImage.survey_id == filled.survey)
            .values(chainage_m=1_000 - SurveyImage.chainage_m)
        )
        results = session.scalars(select(Distress.result_id).limit(20)).all()
        more = {"kind": "crack", "length_px": 5.0, "mean_width_px": 1.0, "max_width_px": 1.0, "area_px": 5}
        session.execute(insert(Distress), [{"result_id": one, **more, "polylines_px": []} for one in results])
        keys = session.execute(
            select(SurveyImage.section_id, SurveyImage.chainage_m, SurveyImage.id, Distress.id)
            .join(AnalysisResult, AnalysisResult.image_id == SurveyImage.id)
            .join(Distress, Distress.result_id == AnalysisResult.id)
        )
        expected = [(image_id, distress_id) for *_, image_id, distress_id in sorted(map(tuple, keys))]
    assert expected != sorted(expected, key=lambda pair: pair[1])
    monkeypatch.setattr(export_queries, "ROWS_AT_ONCE", 7)
    said: list[str] = []
    with reading() as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *about: said.append(about[2]))
        batches = [
            [(row.image_id, row.id) for row in rows]
            for rows in export_queries.distress_rows(session, filled.survey)
        ]
    assert [pair for rows in batches for pair in rows] == expected
    assert max(map(len, batches)) <= 7
    assert not [statement for statement in said if "ORDER BY" in statement and "polylines_m" in statement]


@one
@pytest.mark.parametrize("on", [True, False])
def test_reading_distresses_leaves_the_garbage_collector_as_it_was(on: bool) -> None:
    filled = fill_exported()
    with transaction() as session:
        first = session.scalars(select(Distress.id).limit(1)).one()
        crowded = [[[float(n), 1.0] for n in range(20_000)]]
        session.execute(update(Distress).where(Distress.id == first).values(polylines_m=crowded))
    collected: list[int] = []

    def count(phase: str, about: dict[str, int]) -> None:
        collected.append(about["generation"])

    was_on = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        with reading() as session:
            rows = export_queries.distress_rows(session, filled.survey)
            gc.callbacks.append(count)
            batch = next(rows)
            gc.callbacks.remove(count)
            assert gc.isenabled() == on
            rows.close()  # type: ignore[attr-defined]
        assert gc.isenabled() == on
    finally:
        (gc.enable if was_on else gc.disable)()
    assert max(len((row.polylines_m or [[]])[0]) for row in batch) == 20_000
    # 20,000 lists would be looked through some 28 times, twice told.
    assert len(collected) < 20


@both
def test_the_plan_is_on_its_sections_and_its_costs_add_up() -> None:
    filled = fill_exported()
    plan_id = save_plan(filled)
    data = read(filled, plan_id, distresses=False)
    assert data.plan is not None and not len(data.distresses)
    assert list(data.projects) == [*PROJECT_COLUMNS, "geometry"]
    assert data.projects["cost"].sum() == pytest.approx(data.plan["total_cost"])
    assert list(data.projects["rank"]) == list(range(1, len(data.projects) + 1))
    first = data.projects.iloc[0]
    of_first = data.sections[data.sections["priority_rank"] == 1]
    assert "; ".join(of_first["section_key"]) == first["section_keys"]
    assert of_first["planned_cost"].sum() == pytest.approx(first["cost"])
    assert set(of_first["planned_year"]) == {first["year"]} and set(of_first["reason"]) == {first["reason"]}
    assert len(first.geometry.geoms) == len(of_first)
    left = data.sections[data.sections["priority_rank"].isna()]
    assert left["reason"].notna().all() and UNSURVEYED in set(left["section_key"])
    assert data.provenance["plan"] == "Five years"
    without = read(filled, distresses=False)
    assert without.plan is None and not len(without.projects) and without.provenance["plan"] == ""
    assert without.sections["planned_cost"].isna().all()


@one
def test_both_treatments_of_a_section_are_told_and_all_costs_add_up() -> None:
    filled = fill_exported()
    plan_id = save_plan(filled)
    with transaction() as session:
        plan = session.get_one(Plan, plan_id)
        first = plan.result["projects"][0]
        again = {**first, "year": first["year"] + 2, "treatment": "Crack seal", "cost": 12_345.0}
        plan.result = {**plan.result, "projects": [*plan.result["projects"], again]}
    data = read(filled, plan_id, distresses=False)
    sections, twice = data.sections.set_index("section_key"), first["section_ids"]
    assert sections["planned_cost"].sum() + sections["later_cost"].sum() == pytest.approx(
        data.projects["cost"].sum()
    )
    assert set(sections.loc[twice, "planned_year"]) == {first["year"]}
    assert set(sections.loc[twice, "later_year"]) == {first["year"] + 2}
    assert set(sections.loc[twice, "later_treatment"]) == {"Crack seal"}
    assert sections.loc[twice, "later_cost"].sum() == pytest.approx(12_345.0)
    assert sections["later_cost"].notna().sum() == len(twice)
    assert set(sections.loc[twice, "reason"]) == {first["reason"]}


@both
def test_classes_say_where_worse_is_possible() -> None:
    filled = fill_exported()
    with transaction() as session:
        result = session.query(SectionResult).filter_by(
            survey_id=filled.survey, section_id=filled.sections["R1-1"]
        ).one()  # fmt: skip
        assert result.condition is not None and result.condition_index is not None
        result.condition = {**result.condition, "value_low": 41.5}
    sections = read(filled).sections.set_index("section_key")
    assert sections.loc["R1-1", "condition_index_at_worst"] == 41.5
    assert sections.loc["R1-1", ["condition_class", "class_words"]].tolist() == ["good", "good at best"]
    assert sections.loc["R2-2", "class_words"] == "poor" and sections.loc[UNSURVEYED, "class_words"] is None


@one
def test_a_plan_of_another_analysis_is_said() -> None:
    filled = fill_exported()
    plan_id = save_plan(filled)
    with transaction() as session:
        session.execute(update(Plan).values(settings_hash="0" * 64))
    assert "another analysis" in read(filled, plan_id).provenance["notes"]
    with pytest.raises(SettingsError, match="no plan 99"):
        read(filled, 99)


@one
def test_provenance_names_everything_that_made_the_numbers() -> None:
    filled = fill_measured()
    said = read(filled).provenance
    assert said["agency"] == "Local agency" and said["network"] == "County"
    assert said["survey"] == "County 2025" and said["surveyed_on"] == "2025-05-03"
    assert said["checkpoint"] == "county" and said["checkpoint_sha256"] == "c" * 64
    assert json.loads(said["settings"])["measurement_version"] == int(said["measurement_version"])
    assert said["software"].startswith("Pavescope ") and said["crs"] == "EPSG:4326"
    assert all(isinstance(value, str) for value in said.values())


@one
def test_a_survey_without_a_network_exports_its_photos() -> None:
    filled = fill_exported()
    with transaction() as session:
        session.execute(update(SurveyImage).values(section_id=None, chainage_m=None))
        session.execute(update(Survey).values(network_id=None))
    data = read(filled)
    assert not len(data.sections) and not len(data.units) and len(data.photos) == 95
    assert isinstance(data.projects, gpd.GeoDataFrame) and "no network" in data.provenance["notes"]
    assert list(data.distresses["placed_by"].value_counts()) == [93, 1]


@one
def test_a_survey_in_pixels_exports_what_there_is() -> None:
    filled = fill_exported()
    with transaction() as session:
        session.execute(
            update(AnalysisResult).values(
                gsd_mm_per_px=None, surveyed_area_m2=None, crack_density_m_per_m2=None, ground=None
            )
        )
        session.execute(
            update(SectionResult).values(
                condition_index=None, condition=None, quantities=None, units=None, surveyed_area_m2=None,
                crack_density_m_per_m2=None,
            )
        )  # fmt: skip
    data = read(filled)
    assert data.sections["condition_index"].isna().all() and data.sections["crack_area_percent"].notna().any()
    assert data.sections["alligator_m2"].isna().all() and not len(data.units)
    assert "in pixels" in data.provenance["notes"]


@one
def test_what_cannot_be_exported_says_what_to_do() -> None:
    filled = fill_measured()
    with transaction() as session:
        other = Agency(name="Elsewhere")
        session.add(other)
        session.flush()
        with pytest.raises(SettingsError, match="There is no survey"):
            read_export_data(session, other.id, filled.survey)
        session.execute(update(Survey).values(shown_checkpoint_id=None, shown_settings_hash=None))
    with pytest.raises(SettingsError, match=r"not analysed.*Analyse it"):
        read(filled)
    with transaction() as session:
        session.execute(delete(SurveyImage))
    with pytest.raises(SettingsError, match=r"has no photos.*Add photos"):
        read(filled)
