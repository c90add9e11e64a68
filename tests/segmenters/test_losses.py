"""The loss of segmentation, beside a slow plain version and MONAI's."""

import math

import pytest
import torch

from radiodeep.segmenters.losses import dice_cross_entropy


def example(shape):
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(shape, generator=generator) > 0.8).float()
    masks[0] = 0  # a patch without the region
    return 3 * torch.randn(shape, generator=generator), masks


def test_the_loss_is_cross_entropy_of_the_example_and_dice_of_the_batch():
    logits, masks = example((3, 1, 4, 5))
    overlap = found = true = 0.0
    entropies = []
    for of_example, of_mask in zip(logits, masks, strict=True):
        terms = []
        for logit, target in zip(of_example.flatten().tolist(), of_mask.flatten().tolist(), strict=True):
            probability = 1 / (1 + math.exp(-logit))
            terms.append(-math.log(probability if target else 1 - probability))
            overlap += probability * target
            found += probability
            true += target
        entropies.append(sum(terms) / len(terms))
    dice = 2 * overlap / (found + true)
    expected = torch.tensor([entropy + 1 - dice for entropy in entropies])
    torch.testing.assert_close(dice_cross_entropy(logits, masks), expected, rtol=1e-5, atol=1e-5)


def test_a_perfect_mask_has_no_loss_and_nor_has_an_empty_one():
    _, masks = example((3, 1, 4, 5))
    for targets in (masks, torch.zeros_like(masks)):
        loss = dice_cross_entropy(200 * (2 * targets - 1), targets)
        assert loss.abs().max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4, 1, 12, 10), (3, 1, 6, 7, 8)])
def test_the_loss_is_that_of_monai(shape):
    from monai.losses import DiceCELoss

    logits, masks = example(shape)
    logits.requires_grad_()
    expected = DiceCELoss(sigmoid=True, batch=True)(logits, masks)
    (gradient,) = torch.autograd.grad(expected, logits)
    loss = dice_cross_entropy(logits, masks).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], gradient, rtol=1e-4, atol=1e-7)
