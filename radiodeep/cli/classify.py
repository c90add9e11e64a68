"""`radiodeep classify`: the classes of ImageNet that pictures show."""

from pathlib import Path
from typing import Annotated

import typer

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.output import check_file
from radiodeep.cli.terminal import say
from radiodeep.files import write_table


def classify(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="PNG, JPEG, TIFF or BMP files.")],
    network: Annotated[str, typer.Option(help="A network of timm that was trained on ImageNet.")] = "resnet50",
    weights: Annotated[
        str, typer.Option(help="File of its weights; 'pretrained' takes those of timm from the Hugging Face hub.")
    ] = "pretrained",
    top: Annotated[int, typer.Option(min=1, help="Number of classes per picture.")] = 3,
    output: options.OptionalTable = None,
):
    """Name what pictures show by the classes of ImageNet.

    The most probable classes of each picture are printed with their probabilities.
    """
    if output is not None:
        check_file(output, ".csv", ".parquet", read=pictures[0])
    table = rd.classify_pictures(pictures, network, weights, top)
    for picture, of_picture in table.groupby("picture", sort=False):
        say(picture)
        for _, row in of_picture.iterrows():
            say(f"  {row['probability']:6.1%}  {row['name']}")
    if output is not None:
        write_table(table, output, index=False)
