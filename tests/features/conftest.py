import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Keep small networks on one thread: on a busy machine, threads that wait for each other cost seconds."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
