"""--dask: the cluster on which a command computes."""

from pathlib import Path

import typer

from radiodeep.exceptions import InputError
from radiodeep.extras import require_package


def connect(context: typer.Context, scheduler: str):
    """Compute on the Dask cluster of a scheduler until the command ends; the callback of --dask."""
    if scheduler is None:
        return None
    require_package("distributed")
    from distributed import Client  # late: an optional package
    from joblib import parallel_config  # late: commands start without it

    is_file = Path(scheduler).suffix == ".json"
    place = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    try:
        if is_file:
            Path(scheduler).read_bytes()  # Dask would wait for a file that is missing
        client = Client(**place, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--dask: no Dask scheduler answers at '{scheduler}'. Give its address, e.g. tcp://node1:8786, or the "
            f".json file of 'dask scheduler --scheduler-file'. ({error})"
        ) from error
    context.with_resource(client)
    context.with_resource(parallel_config(backend="dask", client=client))
    return scheduler
