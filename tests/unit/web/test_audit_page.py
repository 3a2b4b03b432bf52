"""The audit's page as Streamlit's own test driver sees it; its keys are tested in a browser."""

from streamlit.testing.v1 import AppTest

from app import audit_data
from tests.unit.web.rows import Filled
from tests.unit.web.test_audit import actor, draw, finish, tiles_of
from tests.unit.web.test_pages import open_page, said


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_without_an_analysed_survey_the_page_says_what_to_do(empty_app: None) -> None:
    page = open_page("audit")
    assert "No analysed survey yet" in said(page)
    assert not page.error


def test_a_sample_is_drawn_from_the_page(filled: Filled) -> None:
    page = open_page("audit", survey=filled.survey)
    assert "No audit of this survey yet" in said(page)
    assert not page.checkbox[0].value  # training is not allowed unless somebody says so
    page.number_input[0].set_value(8)
    page.number_input[1].set_value(32)
    press(page, "Draw the sample")
    assert not page.error
    sample = audit_data.samples(actor().agency_id, filled.survey)[0]
    assert (sample["tiles"], sample["tile_px"], sample["may_train"]) == (8, 32, False)
    assert "These answers only score. Nothing trains on them today." in said(page)
    assert labels(page)[:4] == ["Crack (C)", "No crack (N)", "Unsure (U)", "Back (B)"]


def test_the_page_tells_nothing_of_the_model_before_the_blind_answer(filled: Filled) -> None:
    sample_id = draw(filled)
    page = open_page("audit", survey=filled.survey, sample=sample_id)
    assert "Is there a crack inside the frame?" in said(page)
    assert "marked" not in said(page) and "found no crack" not in said(page)
    assert {"Accept (A)", "Reject (R)"}.isdisjoint(labels(page))
    press(page, "No crack (N)")
    words = said(page)
    predicted = tiles_of(sample_id)[0]["predicted_px"]
    assert f"It marked {predicted} pixels" in words if predicted else "The model found no crack here" in words
    assert {"Crack (C)", "No crack (N)"}.isdisjoint(labels(page))
    page.toggle[0].set_value(True).run()
    press(page, "Reject (R)")
    first = tiles_of(sample_id)[0]
    assert (first["answer"], first["accepted"], first["missed"]) == ("none", False, True)
    assert "Is there a crack inside the frame?" in said(page)
    assert "Tile 2 of 12" in said(page)


def test_unsure_goes_on_at_once_and_back_leads_to_it_again(filled: Filled) -> None:
    sample_id = draw(filled)
    page = open_page("audit", survey=filled.survey, sample=sample_id)
    press(page, "Unsure (U)")
    assert "Tile 2 of 12" in said(page)
    press(page, "Back (B)")
    assert "Tile 1 of 12" in said(page) and "Crack (C)" in labels(page)
    press(page, "Crack (C)")
    press(page, "Accept (A)")
    assert "Tile 2 of 12" in said(page)
    press(page, "Back (B)")
    assert {"Crack (C)", "Unsure (U)"}.isdisjoint(labels(page))  # what is compared is no longer blind
    press(page, "Reject (R)")
    assert (tiles_of(sample_id)[0]["answer"], tiles_of(sample_id)[0]["accepted"]) == ("crack", False)


def test_a_finished_audits_unsure_tile_can_no_longer_be_answered(filled: Filled) -> None:
    sample_id = draw(filled)
    finish(sample_id)
    page = open_page("audit", survey=filled.survey, sample=sample_id, tile=1)
    assert "You were unsure of this tile." in said(page)
    assert {"Crack (C)", "No crack (N)", "Unsure (U)", "Accept (A)"}.isdisjoint(labels(page))
    assert "What was measured" not in said(page)
    press(page, "To the figures")
    assert "What was measured" in said(page)


def test_an_audit_is_resumed_finished_and_signed(filled: Filled) -> None:
    sample_id = draw(filled)
    finish(sample_id)
    page = open_page("audit", survey=filled.survey)
    assert "What was measured" in said(page)
    table = page.table[0].value
    assert table.loc["Precision", "Value"] == "100.0 %"
    assert table.loc["Recall", "95 % interval"].endswith("to 100.0 %")
    assert "11 tiles were judged; 1 were unsure" in said(page)
    press(page, "Sign")
    assert any("is not a full name" in error.value for error in page.error)
    page.text_input[0].set_value("Ada Lovelace")
    press(page, "Sign")
    assert not page.error
    assert "Ada Lovelace" in said(page)
    assert any("The record is unchanged" in box.value for box in page.success)
    assert "Sign" not in labels(page)
