"""Images in, pooled features out, computed by OpenVINO (the extra `speed`) instead of torch; on processors alone."""

import sys
import warnings

import torch
from torch import nn

from radiodeep.exceptions import InputError

_REPORTER = "openvino_telemetry"


def import_openvino():
    """Return the module `openvino`, kept from reporting over the network that it was imported.

    Raises
    ------
    InputError
        It is not installed.
    """
    kept = sys.modules.get(_REPORTER)
    if "openvino" not in sys.modules:
        sys.modules[_REPORTER] = None  # as if it were not installed, which OpenVINO bears
    try:
        import openvino
    except ImportError:
        raise InputError(
            "backend='openvino' needs OpenVINO, which is not installed. Run `pip install radiodeep[speed]`, or take "
            "backend='torch'."
        ) from None
    finally:
        if sys.modules.get(_REPORTER, kept) is not kept:
            del sys.modules[_REPORTER]
    return openvino


class OpenvinoNetwork(nn.Module):
    """A network whose sums OpenVINO does, with as many threads as torch may use.

    It is translated when the first images of a size arrive, which takes 1 to 4 seconds, and compared with torch on
    noise of that size.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode and single precision; images -> pooled features.
    dtype : torch.float32 or torch.bfloat16
        In which it computes; it takes and gives single precision.
    tolerance : float
        How far features may be from those of torch, as a part of the largest.

    Raises
    ------
    InputError
        When it sees images: the translated network gives other features than the network, or there is no translation.

    Notes
    -----
    (n, channels, height, width) -> (n, n_features).
    """

    N_AT_ONCE = 8

    def __init__(self, network, dtype, tolerance):
        super().__init__()
        self.network, self.dtype, self.tolerance = network, dtype, tolerance
        self._compiled = (None, None)

    def __getstate__(self):
        return self.__dict__ | {"_compiled": (None, None)}  # belongs to this process

    def forward(self, images):
        purpose = (*images.shape[1:], torch.get_num_threads())
        if self._compiled[0] != purpose:
            self._compiled = purpose, self._translated(images.shape[1:])
        request = self._compiled[1][0].create_infer_request()
        return torch.cat([_infer(request, some) for some in images.split(self.N_AT_ONCE)])

    forward_features = forward

    def _translated(self, shape):
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
                warnings.simplefilter("ignore")  # what torch and OpenVINO have to say of tracing is for their authors
                expected = self.network(noise)
                traced = torch.jit.freeze(torch.jit.trace(self.network, noise, check_trace=False, strict=False))
                # Not openvino.convert_model, which takes several times as long and reports its use to its makers.
                frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
                weights = TorchScriptPythonDecoder(traced)
                model = frontend.convert(frontend.load(weights))
                model.reshape([-1, *shape])
                compiled = openvino.Core().compile_model(model, "CPU", settings)
                error = (_infer(compiled.create_infer_request(), noise) - expected).abs().max() / expected.abs().max()
        except Exception as problem:  # of any kind: code of others is run, and translated by others
            raise InputError(
                f"OpenVINO cannot do this network ({type(problem).__name__}: {problem}). Take backend='torch'."
            ) from problem
        if not error <= self.tolerance:
            raise InputError(
                f"With OpenVINO the features of this network are {error:.1g} of the largest away from those of torch, "
                f"more than {self.tolerance:.1g}. Take backend='torch'."
            )
        return compiled, weights  # which share memory


def _infer(request, images):
    return torch.from_numpy(request.infer([images.contiguous().numpy()], share_inputs=True)[0].copy())
