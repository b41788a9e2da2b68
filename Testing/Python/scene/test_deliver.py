"""What a result is written as, and what is refused before anything is written."""

import pytest

from MedFusionLib.errors import Cancelled, UsageError
from MedFusionScene.deliver import Wishes, deliver, kinds_for


def test_all_kinds_of_the_tumour_are_left_out_without_one(result):
    from dataclasses import replace

    assert kinds_for(result) == ("sc", "pm", "seg", "sr")
    assert kinds_for(replace(result, tumour=None)) == ("sc", "pm")


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [(Wishes(), "Nothing was chosen"), (Wishes(dicom=("sc",)), "series of the reference")],
)
def test_wishes_that_cannot_be_met_are_refused_and_nothing_is_made(result, tmp_path, wishes, sentence):
    with pytest.raises(UsageError, match=sentence):
        deliver(result, tmp_path / "out", wishes)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_when_one_of_the_parts_lies_there_already(result, tmp_path):
    (tmp_path / "result").mkdir()
    with pytest.raises(UsageError, match="already"):
        deliver(result, tmp_path, Wishes(volumes=True, result=True))
    assert not (tmp_path / "volumes").exists()


def test_a_cancel_stops_before_the_next_part(result, tmp_path):
    with pytest.raises(Cancelled):
        deliver(result, tmp_path, Wishes(volumes=True), cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []
