"""Pieces of an image: they cover it once, in order, and results find their place."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from MedFusionLib.networks.blocks import blocks, gathered, slabs, widened


@given(height=st.integers(1, 40), width=st.integers(1, 40), samples=st.integers(1, 2000), step=st.sampled_from([1, 4]))
def test_blocks_cover_every_sample_once_and_hold_no_more_than_asked(height, width, samples, step):
    images = torch.zeros(1, 2, height * step, width, 3)
    seen = torch.zeros(height * step, width)
    for rows, columns in blocks(images, samples, (step, 1)):
        seen[rows, columns] += 1
        assert rows.start % step == 0
        held = (rows.stop - rows.start) * (columns.stop - columns.start)
        assert 6 * held <= max(samples, 6 * step)
    assert (seen == 1).all()


@given(rows=st.integers(1, 60), samples=st.integers(1, 500))
def test_slabs_cover_every_row_once(rows, samples):
    pieces = slabs(torch.zeros(1, 2, rows, 4), samples)
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == list(range(rows))


@given(start=st.integers(0, 20), more=st.integers(1, 20), reach=st.integers(0, 9), length=st.integers(40, 50))
def test_a_widened_part_knows_where_it_lies(start, more, reach, length):
    part = slice(start, start + more)
    wide, inner = widened(part, reach, length)
    line = torch.arange(length)
    assert torch.equal(line[wide][inner], line[part])
    assert wide.start == max(0, start - reach) and wide.stop == min(length, part.stop + reach)


def test_results_of_blocks_are_put_together_at_their_own_resolution():
    image = torch.rand(2, 3, 20, 13)
    every = blocks(image, 6 * 40, (4, 1))
    assert len(every) > 3
    assert torch.equal(gathered(lambda block: image[(..., *block)], every, 2), image)
    fourth = gathered(lambda block: image[(..., *block)][:, :, ::4], every, 2, (4, 1))
    assert torch.equal(fourth, image[:, :, ::4])
