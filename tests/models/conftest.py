"""A network that keeps the images that it sees."""

import pytest
import torch


class Watched(torch.nn.Module):
    """A network of four weights that keeps the images that it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = {True: [], False: []}
        self.fc = torch.nn.Linear(1, 2)

    def forward(self, images):
        self.seen[self.training].append(images.detach().clone())
        return self.fc(images.flatten(1).mean(dim=1, keepdim=True))


@pytest.fixture
def watched(monkeypatch):
    """The networks that are built, each a `Watched`."""
    built = []

    def build(*_, **__):
        torch.manual_seed(0)
        built.append(Watched())
        return built[-1]

    monkeypatch.setattr("radiodeep.models.network_estimator.build_network", build)
    return built
