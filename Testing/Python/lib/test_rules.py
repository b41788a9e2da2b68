import pytest
import torch

from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Tempered, Weighted, combine

RULES = [ChooseMax(), LocalEnergy(), Tempered(ChooseMax()), Weighted()]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(2, 2, 9, 11), (1, 3, 6, 7, 8), (1, 4, 1, 5, 5)])
def test_weights_are_shares(rule, shape):
    bands = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    weights = rule(bands, len(shape) - 2).expand(shape)
    assert weights.min() >= 0
    assert (weights.sum(dim=1) - 1).abs().max() < 1e-6


def test_the_stronger_band_wins_and_a_lonely_outlier_is_outvoted():
    strong, weak = torch.full((1, 1, 9, 9), 2.0), torch.full((1, 1, 9, 9), -1.0)
    bands = torch.cat([strong, weak], dim=1)
    assert ChooseMax()(bands, 2)[0, 0].min() == 1
    checkered = torch.zeros(1, 2, 15, 15)
    checkered[0, 0] = 1.0
    checkered[0, 1, 7, 7] = 5.0
    # one sample of the second source dominates its window of 3, so 9 of the 25 votes around it
    weights = ChooseMax()(checkered, 2)[0, 1]
    assert weights[7, 7] == 1
    assert weights[5, 7] == 0 and weights[7, 9] == 0


def test_a_tie_is_shared():
    bands = torch.ones(1, 3, 5, 5)
    assert torch.allclose(ChooseMax()(bands, 2), torch.full((1, 3, 5, 5), 1 / 3))


def test_two_sources_are_decided_as_in_the_general_case():
    bands = torch.randn(2, 2, 12, 13, generator=torch.Generator().manual_seed(1))
    third = torch.cat([bands, torch.zeros(2, 1, 12, 13)], dim=1)
    assert torch.equal(ChooseMax()(bands, 2), ChooseMax()(third, 2)[:, :2])


def test_slabs_do_not_show(monkeypatch):
    from MedFusionLib.methods.rules import choose_max

    bands = torch.randn(1, 2, 20, 9, 9, generator=torch.Generator().manual_seed(2))
    whole = ChooseMax()(bands, 3)
    monkeypatch.setattr(choose_max, "SLAB_SAMPLES", 500)
    assert torch.equal(ChooseMax()(bands, 3), whole)


def test_energy_weights_favour_the_source_with_more_of_it():
    bands = torch.stack([torch.full((6, 6), 3.0), torch.full((6, 6), 1.0)])[None]
    assert torch.allclose(LocalEnergy()(bands, 2)[0, 0], torch.full((6, 6), 0.9))


def test_tempering_is_half_way_to_the_shares_of_energy():
    bands = torch.stack([torch.full((6, 6), 3.0), torch.full((6, 6), 1.0)])[None]
    assert torch.allclose(Tempered(ChooseMax())(bands, 2)[0, 0], torch.full((6, 6), 0.95))
    assert Tempered(LocalEnergy()).reach == 1
    assert Tempered(ChooseMax()).reach == ChooseMax().reach


def test_combining_is_the_weighted_sum():
    bands = torch.tensor([[[[1.0]], [[5.0]]]])
    assert combine(bands, torch.tensor([[[[0.25]], [[0.75]]]])).item() == 4.0
