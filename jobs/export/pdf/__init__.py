"""The priority report: a PDF that a council can read and an engineer can defend."""

from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4, LETTER
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, NextPageTemplate, PageBreak, PageTemplate

from engine.errors import SettingsError
from jobs.export.data import ExportData
from jobs.export.layers import whole_file
from jobs.export.pdf.condition import condition, maps
from jobs.export.pdf.facts import Facts, gather
from jobs.export.pdf.method import glossary, method, provenance
from jobs.export.pdf.plan import without_project, year_plan
from jobs.export.pdf.projects import all_places, first_places
from jobs.export.pdf.style import ACCENT, MUTED, REGULAR, RULE, Heading, clean, fitted, load_fonts
from jobs.export.pdf.summary import cover, summary
from jobs.export.pictures import PictureSource
from jobs.export.progress import Progress, no_progress

PAPERS = {"A4": A4, "Letter": LETTER}
SIDE, TOP, BOTTOM = 54.0, 66.0, 54.0
SMALL = 7.2
# Shares of the work done when the pictures are drawn; then the pages are set twice, for their numbers.
PICTURES_DONE, PAGES_DONE = 0.5, 0.97


def write_pdf(
    data: ExportData,
    path: Path,
    *,
    paper: str = "A4",
    pictures: PictureSource | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write the report.

    Args:
        data: without a plan the report ranks sections by condition, and says so.
        path: is written whole or not at all.
        paper: of `PAPERS`.
        pictures: None leaves the photos out, and says so.
        progress: told the share done (0-1) and what is being done; may raise to stop.

    Raises:
        SettingsError: the paper is not known.
        MissingLibraryError: the fonts are not installed.
    """
    if paper not in PAPERS:
        raise SettingsError(f"The paper {paper!r} is not known.", f"Use {' or '.join(PAPERS)}.")
    load_fonts()
    progress(0.0, "Reading the results")
    facts = gather(data)
    with whole_file(path) as unfinished:
        report = Report(str(unfinished), PAPERS[paper], facts, progress)
        story = _story(
            facts, report, pictures, lambda share, what: progress(0.02 + share * (PICTURES_DONE - 0.02), what)
        )
        progress(PICTURES_DONE, "Setting the pages")
        report.multiBuild(story)
    progress(1.0, "Done")


def _story(
    facts: Facts, report: "Report", pictures: PictureSource | None, progress: Progress
) -> list[Flowable]:
    width, height = report.width, report.height
    story: list[Flowable] = [
        *cover(facts, width),
        NextPageTemplate("inner"),
        PageBreak(),
        *summary(facts, width, height),
        *maps(facts, width, height),
        *condition(facts, width),
        *first_places(facts, pictures, width, progress),
        *all_places(facts, width),
    ]
    if facts.has_plan:
        story += [*year_plan(facts, width), *without_project(facts, width)]
    return [*story, *method(facts, width), *provenance(facts, width), *glossary(width)]


class Report(BaseDocTemplate):  # type: ignore[misc]
    """Pages with head and foot, outline and contents; set twice, for the number of pages."""

    def __init__(self, path: str, size: tuple[float, float], facts: Facts, progress: Progress) -> None:
        self.facts, self.progress = facts, progress
        self.pages_before = self.pass_number = 0
        what = "priorities" if facts.has_plan else "condition"
        super().__init__(
            path,
            pagesize=size,
            leftMargin=SIDE,
            rightMargin=SIDE,
            topMargin=TOP,
            bottomMargin=BOTTOM,
            title=clean(f"{facts.said('survey')}: {what}"),
            author=clean(facts.said("agency")),
            subject=clean(f"Road network {facts.said('network')}, survey {facts.said('survey')}"),
            creator=clean(facts.said("software") or "Pavescope"),
            keywords=["pavement", "condition", "maintenance", "priorities"],
            lang="en-GB",
            initialFontName=REGULAR,
            displayDocTitle=True,
        )
        frame = Frame(
            SIDE,
            BOTTOM,
            self.width,
            self.height,
            leftPadding=0,
            rightPadding=0,
            topPadding=0,
            bottomPadding=0,
        )
        self.addPageTemplates(
            [
                PageTemplate("cover", [frame], onPage=self._cover_page),
                PageTemplate("inner", [frame], onPage=self._inner_page),
            ]
        )

    def beforeDocument(self) -> None:  # noqa: N802
        self.pass_number += 1

    def afterPage(self) -> None:  # noqa: N802
        # The first pass does not know yet how many pages will come.
        done = self.page / (self.pages_before or self.page + 10)
        passed = min((self.pass_number - 1 + min(done, 1)) / 2, 1)
        self.progress(PICTURES_DONE + (PAGES_DONE - PICTURES_DONE) * passed, f"Page {self.page}")

    def _endBuild(self) -> None:  # noqa: N802
        self.pages_before = self.page
        super()._endBuild()

    def afterFlowable(self, flowable: Any) -> None:  # noqa: N802
        if isinstance(flowable, Heading):
            self.canv.bookmarkPage(flowable.key)
            self.canv.addOutlineEntry(flowable.plain, flowable.key, flowable.level, closed=flowable.level > 0)
            if flowable.level == 0:
                self.notify("TOCEntry", (0, flowable.text_for_contents, self.page, flowable.key))

    def _cover_page(self, canvas: Canvas, _: Any) -> None:
        canvas.saveState()
        canvas.setFillColor(ACCENT)
        canvas.rect(0, self.pagesize[1] - 22, self.pagesize[0], 22, stroke=0, fill=1)
        self._foot(canvas)
        canvas.restoreState()

    def _inner_page(self, canvas: Canvas, _: Any) -> None:
        canvas.saveState()
        canvas.setFont(REGULAR, SMALL)
        canvas.setFillColor(MUTED)
        y, right = self.pagesize[1] - 40, self.pagesize[0] - SIDE
        half = self.width / 2 - 8
        canvas.drawString(SIDE, y, fitted(self.facts.said("survey"), REGULAR, SMALL, half))
        canvas.drawRightString(right, y, fitted(self.facts.said("agency"), REGULAR, SMALL, half))
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.5)
        canvas.line(SIDE, y - 6, right, y - 6)
        self._foot(canvas)
        canvas.restoreState()

    def _foot(self, canvas: Canvas) -> None:
        canvas.setFont(REGULAR, SMALL)
        canvas.setFillColor(MUTED)
        made = f"{self.facts.said('software')}, {self.facts.said('made_at')[:10]}"
        canvas.drawString(SIDE, 30, fitted(made, REGULAR, SMALL, self.width * 0.7))
        of = self.pages_before or self.page
        canvas.drawRightString(self.pagesize[0] - SIDE, 30, f"{self.page} of {of}")
