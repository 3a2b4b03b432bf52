"""The report, read back by other readers: its text, its pages, its pictures, and names that break XML."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pytest
from pypdf import PdfReader
from pypdf.generic import IndirectObject

from engine.errors import CancelledError, EngineError, SettingsError
from engine.vocabulary import DistressType
from jobs.export.data import ExportData
from jobs.export.pdf import PAPERS, write_pdf
from jobs.export.pdf.charts import axis_steps, compact
from jobs.export.pdf.condition import condition_layers
from jobs.export.pdf.facts import gather, lengths_by_grade, worst_photo
from jobs.export.pdf.maps import RoadMap
from jobs.export.pdf.style import (
    clean,
    fitted,
    kilometres,
    load_fonts,
    money,
    number,
    safe,
    shortened,
)
from jobs.export.pictures import LONGEST_PX, Picture, draw_picture
from tests.unit.export.made_up import SHA, made_up_export
from tests.unit.export.planned_network import NAMES, drawn_picture, jpeg_size, planned_network

PARTS = (
    "Summary", "The network by condition", "The plan by year", "Condition of the network",
    "The first projects", "All projects", "The plan year by year", "Sections without a project",
    "Method and its limits", "Provenance", "Glossary",
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> ExportData:
    return planned_network()


@pytest.fixture(scope="module")
def report(network: ExportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    write_pdf(network, path, pictures=lambda photo: drawn_picture(photo, 480, 360))
    return path


def written(data: ExportData, folder: Path, **options: Any) -> PdfReader:
    path = folder / "report.pdf"
    write_pdf(data, path, **options)
    assert [file.name for file in folder.iterdir()] == ["report.pdf"]
    return PdfReader(io.BytesIO(path.read_bytes()))


def text_of(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in reader.pages)


def titles_of(outline: list[Any]) -> list[str]:
    return [one.title for one in outline if not isinstance(one, list)]


def test_every_part_is_there_and_in_the_outline(report: Path) -> None:
    reader = PdfReader(report)
    assert tuple(titles_of(reader.outline)) == PARTS
    contents = " ".join(reader.pages[0].extract_text().split())
    for entry in reader.outline:
        if not isinstance(entry, list):
            page = reader.get_destination_page_number(entry)
            assert entry.title in reader.pages[page].extract_text()
            assert re.search(rf"\. {page + 1} {entry.title}", contents), entry.title


def test_each_page_says_which_of_how_many_it_is(report: Path) -> None:
    pages = PdfReader(report).pages
    for number_of_page, page in enumerate(pages, 1):
        assert f"{number_of_page} of {len(pages)}" in page.extract_text()


def test_the_file_says_what_it_is(report: Path, network: ExportData) -> None:
    reader = PdfReader(report)
    said = reader.metadata
    assert said is not None
    assert said.title == f"{clean(network.provenance['survey'])}: priorities"
    assert said.author == network.provenance["agency"]
    assert reader.trailer["/Root"]["/Lang"] == "en-GB"
    text = text_of(reader)
    for value in (SHA, "cd" * 32, "Pavescope 0.1.0", "EPSG:4326", "base"):
        assert value in text


def test_every_font_is_embedded_as_a_subset(report: Path) -> None:
    names = set()
    for page in PdfReader(report).pages:
        for font in page["/Resources"]["/Font"].values():
            font = font.get_object() if isinstance(font, IndirectObject) else font
            parts = font.get("/DescendantFonts", [font])
            for part in parts:
                descriptor = part.get_object().get("/FontDescriptor")
                names.add(str(font["/BaseFont"]))
                assert descriptor is not None, font["/BaseFont"]
                assert "/FontFile2" in descriptor.get_object()
    assert names
    assert all("+DejaVuSans" in name for name in names), names


def test_names_of_all_of_europe_can_be_read_back(report: Path) -> None:
    text = text_of(PdfReader(report))
    for name in NAMES[:5]:
        assert name in text, name


def test_the_numbers_are_the_plans(report: Path, network: ExportData) -> None:
    plan = network.plan
    assert plan is not None
    text = text_of(PdfReader(report))
    for line in plan["cost_by_year"]:
        assert str(line["year"]) in text
        assert f"{line['cost']:,.0f}" in text
    assert money(plan["total_cost"], "USD") in text
    end, without = plan["condition_by_year"][-1], plan["without_plan"][-1]
    assert f"At the end of {end['year']} the average index is {end['average']:.0f}" in text
    assert f"Without it: {without['average']:.0f}" in text
    for project in plan["projects"]:
        assert f"{project['cost']:,.0f}" in text
    assert f"{len(plan['projects'])} projects on" in text


@pytest.mark.parametrize("paper", PAPERS)
def test_paper(tmp_path: Path, paper: str) -> None:
    reader = written(made_up_export(), tmp_path, paper=paper)
    size = {"A4": (210.0, 297.0), "Letter": (215.9, 279.4)}[paper]
    for page in reader.pages:
        found = float(page.mediabox.width) / 72 * 25.4, float(page.mediabox.height) / 72 * 25.4
        assert found == pytest.approx(size, abs=0.1)


def test_unknown_paper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="A3"):
        write_pdf(made_up_export(), tmp_path / "report.pdf", paper="A3")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("planned", [True, False])
def test_no_page_is_blank_and_nothing_runs_over_the_margins(
    tmp_path: Path, network: ExportData, paper: str, planned: bool
) -> None:
    data = network if planned else replace(network, plan=None, request=None, scenarios=[])
    path = tmp_path / "report.pdf"
    write_pdf(data, path, paper=paper, pictures=lambda photo: drawn_picture(photo, 320, 240))
    document = pdfium.PdfDocument(path)
    for place, page in enumerate(document):
        ink = np.asarray(page.render(scale=0.75, grayscale=True).to_numpy()) < 250
        # The body lies within margins of 54 points; the head's and the foot's lines too.
        side = int(0.75 * 50)
        top = int(0.75 * 30) if place else side
        assert ink.mean() > 0.005, f"page {place + 1} is blank"
        assert not ink[top:, :side].any(), f"page {place + 1} runs over on the left"
        assert not ink[top:, -side:].any(), f"page {place + 1} runs over on the right"
        assert not ink[-int(0.75 * 22) :].any(), f"page {place + 1} runs over at its foot"


def test_without_a_plan_it_ranks_by_condition_and_says_so(tmp_path: Path, network: ExportData) -> None:
    bare = replace(network, plan=None, request=None, scenarios=[], projects=network.projects.iloc[:0])
    reader = written(bare, tmp_path, pictures=lambda photo: drawn_picture(photo, 320, 240))
    text = text_of(reader)
    assert "This report has no plan" in text
    assert "The plan year by year" not in text
    assert "Mill and overlay" not in text
    facts = gather(bare)
    worst = min(facts.surveyed, key=lambda row: row["condition_index"])
    titles = [title for part in reader.outline if isinstance(part, list) for title in titles_of(part)]
    first = next(title for title in titles if title.startswith("1. "))
    assert str(worst["road"]) in first


def test_a_plan_without_projects(tmp_path: Path) -> None:
    text = text_of(written(planned_network(budget=0.0, scenarios=False), tmp_path))
    assert "The plan has no projects" in text
    assert "Sections without a project" in text


@pytest.mark.parametrize("planned", [True, False])
def test_nothing_at_all(tmp_path: Path, planned: bool) -> None:
    text = text_of(written(made_up_export(empty=True, planned=planned), tmp_path))
    assert "Glossary" in text


def test_without_metres_it_ranks_by_cracked_picture(tmp_path: Path) -> None:
    data = made_up_export(planned=False)
    sections = data.sections.copy()
    for name in sections.columns:
        if name.startswith(("condition_index", "crack_density")):
            sections[name] = float("nan")
    text = text_of(written(replace(data, sections=sections), tmp_path))
    assert "No section has a condition index" in text
    assert "by share of cracked picture" in text


HOSTILE = (
    "<b>bold</b> & </para>", "<img src='/etc/passwd'/>", "&nbsp;&lt;&#x41;", "a\x00b\x07c",
    "x" * 3_000,
    "\u202etxt.exe", "{%s} %d ${a}", "‘“’”–…", "Ω≈ç√∫ Ж Ђ ğ ẞ", "",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_printed_as_they_are(tmp_path: Path, name: str) -> None:
    data = made_up_export()
    sections, projects, photos = data.sections.copy(), data.projects.copy(), data.photos.copy()
    sections["section_key"] = [f"{name}{n}" for n in range(len(sections))]
    sections["road"] = sections["functional_class"] = sections["reason"] = name
    projects["road"] = projects["treatment"] = projects["reason"] = name
    projects["section_keys"] = f"{name}1"
    photos["name"], photos["section_key"] = name, f"{name}1"
    plan = dict(data.plan or {}) | {
        "currency": name[:10], "notes": [name], "method": name,
        "unplanned": [{"section_id": f"{name}3", "reason": name}],
        "shortfalls": [{"reason": name}],
        "curves": [{"functional_class": name, "surface": name, "source": name, "described": name}],
    }  # fmt: skip
    hostile = replace(
        data, sections=sections, projects=projects, photos=photos, plan=plan,
        provenance=dict.fromkeys(data.provenance, name),
        request={"treatments": [{"name": name, "unit_cost": 1.0, "unit": name, "life_years": 3}]},
    )  # fmt: skip
    reader = written(hostile, tmp_path, pictures=lambda photo: drawn_picture(photo, 64, 48))
    if name.startswith("<b>"):
        assert name in text_of(reader)
        assert reader.metadata is not None
        assert reader.metadata.author == name


def test_a_picture_that_is_gone_leaves_a_note(tmp_path: Path) -> None:
    def gone(photo_id: int) -> Picture:
        raise EngineError(f"The photo <{photo_id}> is no longer in storage.", "Restore it.")

    assert "The photo <104> is no longer in storage." in text_of(
        written(made_up_export(), tmp_path, pictures=gone)
    )


def test_the_most_cracked_photo_is_shown() -> None:
    facts = gather(made_up_export())
    photo = worst_photo(facts, ["S1", "S2"])
    assert photo is not None
    assert photo["photo_id"] == 104
    assert worst_photo(facts, ["S3"]) is None


def test_pictures_are_asked_for_once_each(tmp_path: Path, network: ExportData) -> None:
    asked: list[int] = []

    def picture(photo_id: int) -> Picture:
        asked.append(photo_id)
        return drawn_picture(photo_id, 64, 48)

    write_pdf(network, tmp_path / "report.pdf", pictures=picture)
    assert len(asked) == len(set(asked)) == min(20, len(network.projects))


def test_progress_rises_and_may_stop_the_work(tmp_path: Path, network: ExportData) -> None:
    told: list[float] = []
    write_pdf(network, tmp_path / "report.pdf", progress=lambda share, what: told.append(share))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert len(told) > 20
    (tmp_path / "report.pdf").unlink()

    def stop(share: float, what: str) -> None:
        if share > 0.6:
            raise CancelledError

    with pytest.raises(CancelledError):
        write_pdf(network, tmp_path / "report.pdf", progress=stop)
    assert not list(tmp_path.iterdir())


def test_500_sections(tmp_path: Path) -> None:
    data = planned_network(50, 10, planned=False)
    reader = written(data, tmp_path, pictures=lambda photo: drawn_picture(photo, 320, 240))
    heads = [page for page in reader.pages if "Crack density, m/m²" in " ".join(page.extract_text().split())]
    # 490 sections cannot stand on a few pages, and each page of the table has its head.
    assert len(heads) >= 10
    assert (tmp_path / "report.pdf").stat().st_size < 30e6


def test_lengths_by_grade_add_up(network: ExportData) -> None:
    facts = gather(network)
    lengths = lengths_by_grade(facts.sections)
    assert sum(lengths.values()) == pytest.approx(network.sections["length_m"].sum())
    unknown = network.sections["condition_index"].isna()
    assert lengths[None] == pytest.approx(network.sections.loc[unknown, "length_m"].sum())


def test_a_map_keeps_shapes_and_shows_all(network: ExportData) -> None:
    facts = gather(network)
    road_map = RoadMap(condition_layers(facts.sections), 400, 300)
    at = np.concatenate([road_map._placed(line) for lines in road_map.lines for line in lines])
    assert at[:, 0].min() >= 0 and at[:, 0].max() <= 400
    assert at[:, 1].min() >= road_map.below and at[:, 1].max() <= 300
    # As many points of the page to a metre east as north.
    east = road_map._placed(np.array([[11.0, 48.0], [11.01, 48.0]]))
    north = road_map._placed(np.array([[11.0, 48.0], [11.0, 48.0 + 0.01 * np.cos(np.radians(48.01))]]))
    assert np.ptp(east[:, 0]) == pytest.approx(np.ptp(north[:, 1]), rel=1e-3)


@pytest.mark.parametrize(("most", "last"), [(0, 1.0), (1, 1.0), (7, 8.0), (99, 100.0), (1.2e6, 1.25e6)])
def test_axes_end_on_round_values(most: float, last: float) -> None:
    steps = axis_steps(most)
    assert steps[0] == 0
    assert steps[-1] == pytest.approx(last)
    assert steps[-1] >= most


def test_words() -> None:
    load_fonts()
    assert number(-0.2) == "0"
    assert number(None) == number(float("nan")) == "–"
    assert money(1_234_567, "EUR") == "1,234,567 EUR"
    assert money(12.4, "") == "12"
    assert (kilometres(999.4), kilometres(999.7)) == ("999 m", "1.0 km")
    assert compact(2_500_000) == "2.5 M"
    assert clean("a\x00\u202e\ud800b\nc 東") == "ab c □"
    assert safe("<&>") == "&lt;&amp;&gt;"
    assert shortened("x" * 500, 10) == "x" * 9 + "…"
    assert fitted("x" * 500, "DejaVuSans", 8, 50).endswith("…")


class Found:
    def __init__(self, kind: str, line: list[list[float]]) -> None:
        self.kind, self.polylines_px, self.outline_px = kind, [line], None


def test_a_picture_is_small_and_shows_the_crack_where_it_is() -> None:
    pixels = np.full((1200, 1800, 3), 120, np.uint8)
    picture = draw_picture(pixels, [Found("transverse", [[200.0, 600.0], [1600.0, 600.0]])])
    assert (picture.width_px, picture.height_px) == jpeg_size(picture.plain) == jpeg_size(picture.marked)
    assert max(picture.width_px, picture.height_px) == LONGEST_PX
    assert picture.kinds == (DistressType.TRANSVERSE,)
    marked = _pixels(picture.marked)
    assert marked[300, 450, 2] < 110 < marked[300, 450, 0], "yellow on the crack"
    assert abs(marked[100, 450].astype(int) - 120).max() < 8, "nothing elsewhere"
    assert abs(_pixels(picture.plain).astype(int) - 120).max() < 8, "the photo itself is not marked"


def test_a_mask_is_drawn_where_no_distress_is_known() -> None:
    pixels = np.full((600, 600, 3), 120, np.uint8)
    mask = np.zeros((600, 600), np.uint8)
    mask[300, 100:500] = 255
    picture = draw_picture(pixels, [], mask)
    assert picture.kinds == (DistressType.CRACK,)
    row = _pixels(picture.marked)[300, 150:450].astype(int).mean(axis=0)
    assert row[0] > 200 and row[1] < 90, "magenta"


def _pixels(data: bytes) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_each_project_is_shown_within_the_whole_network(report: Path) -> None:
    drawn = 0
    for page in PdfReader(report).pages:
        held = page["/Resources"].get("/XObject", {})
        contents = page.get_contents()
        assert contents is not None
        for name in re.findall(rb"(/\S+) Do", contents.get_data()):
            form = held[name.decode()].get_object()
            if form["/Subtype"] == "/Form":
                drawn += 1
                assert form.get_data().count(b" l") > 50, "the roads' lines"
    assert drawn == len(re.findall(r"Why\.", text_of(PdfReader(report))))
