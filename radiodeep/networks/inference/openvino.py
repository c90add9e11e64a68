"""Images -> pooled features, computed by OpenVINO (extra `speed`) instead of torch, on processors only."""

import sys
import warnings

import torch
from torch import nn

from radiodeep.exceptions import InputError

_TELEMETRY = "openvino_telemetry"


def import_openvino():
    """Return the module `openvino`, prevented from reporting its import over the network."""
    telemetry = sys.modules.get(_TELEMETRY)
    if "openvino" not in sys.modules:
        sys.modules[_TELEMETRY] = None  # as if it were not installed, which OpenVINO tolerates
    try:
        import openvino
    except ImportError:
        raise InputError(
            "backend='openvino' needs OpenVINO, which is not installed. Run `pip install radiodeep[speed]`, or use "
            "backend='torch'."
        ) from None
    finally:
        if sys.modules.get(_TELEMETRY, telemetry) is not telemetry:
            del sys.modules[_TELEMETRY]
    return openvino


class OpenvinoNetwork(nn.Module):
    """A network computed by OpenVINO, with as many threads as torch may use: images -> (n, n_features) in float32.

    The given network is in evaluation mode and float32; `dtype` is the precision of the computation. It is compiled for
    the first images of a size, which takes 1 to 4 seconds, and then compared with torch on noise of that size.
    `forward` raises InputError if the network cannot be compiled, or if its features differ from those of torch by more
    than `tolerance` of the largest.
    """

    N_AT_ONCE = 8

    def __init__(self, network, dtype, tolerance):
        super().__init__()
        self.network, self.dtype, self.tolerance = network, dtype, tolerance
        self._compiled = (None, None)  # input shape and threads, and the network compiled for them

    def __getstate__(self):
        return self.__dict__ | {"_compiled": (None, None)}  # compiled for this process

    def forward(self, images):
        purpose = (*images.shape[1:], torch.get_num_threads())
        if self._compiled[0] != purpose:
            self._compiled = purpose, self._compile(images.shape[1:])
        request = self._compiled[1][0].create_infer_request()
        return torch.cat([_infer(request, batch) for batch in images.split(self.N_AT_ONCE)])

    forward_features = forward

    def _compile(self, shape):
        """Return the network compiled for images of a shape, and the weights that it shares memory with."""
        openvino = import_openvino()
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.dtype == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # warnings about tracing that users cannot act on
                expected = self.network(noise)
                traced = torch.jit.freeze(torch.jit.trace(self.network, noise, check_trace=False, strict=False))
                # openvino.convert_model would take several times as long and report its use over the network.
                frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
                weights = TorchScriptPythonDecoder(traced)
                model = frontend.convert(frontend.load(weights))
                model.reshape([-1, *shape])
                compiled = openvino.Core().compile_model(model, "CPU", settings)
                error = (_infer(compiled.create_infer_request(), noise) - expected).abs().max() / expected.abs().max()
        except Exception as problem:  # tracing and compiling may raise anything
            raise InputError(
                f"OpenVINO cannot compile this network ({type(problem).__name__}: {problem}). Use backend='torch'."
            ) from problem
        if not error <= self.tolerance:
            raise InputError(
                f"With OpenVINO, features of this network differ from those of torch by {error:.1g} of the largest. "
                f"Expected at most {self.tolerance:.1g}; use backend='torch'."
            )
        return compiled, weights


def _infer(request, images):
    return torch.from_numpy(request.infer([images.contiguous().numpy()], share_inputs=True)[0].copy())
