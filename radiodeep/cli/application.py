"""The application of all commands."""

from typing import Annotated

import typer

from radiodeep import __version__
from radiodeep.cli.checklist import checklist
from radiodeep.cli.classify import classify
from radiodeep.cli.compare_masks import compare_masks
from radiodeep.cli.demo import demo
from radiodeep.cli.extract import extract
from radiodeep.cli.labels import labels
from radiodeep.cli.manifest import manifest
from radiodeep.cli.map import map as map_features
from radiodeep.cli.merge import merge
from radiodeep.cli.networks import networks
from radiodeep.cli.report import report
from radiodeep.cli.score import score
from radiodeep.cli.segment import segment, train_segmenter
from radiodeep.cli.study import study
from radiodeep.cli.terminal import say
from radiodeep.cli.train import train
from radiodeep.cli.validate import validate

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="'radiodeep COMMAND --help' shows the options of a command and an example.",
)


def _show_version(wanted: bool):
    if wanted:
        say(f"radiodeep {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def radiodeep(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
):
    """Radiomics and deep features of outlined lesions, and honest evidence of what they predict.

    Exit codes: 0 all done, 1 wrong usage or settings, 2 some cases failed (the others are done), 130 interrupted.
    """
    if context.invoked_subcommand is None:
        say(context.get_help())


for _command, _example in (
    (manifest, "radiodeep manifest export -o manifest.csv --roi GTV-1"),
    (validate, "radiodeep validate manifest.csv"),
    (labels, "radiodeep labels manifest.csv -o labels.csv\n  radiodeep labels RTSTRUCT.dcm"),
    (compare_masks, "radiodeep compare-masks expert.csv automatic.csv -o agreement"),
    (extract, "radiodeep extract manifest.csv -o features.csv --bin-width 25"),
    (study, "radiodeep study manifest.csv -o report --cache cache\n  radiodeep study features.csv -o report"),
    (map_features, "radiodeep map manifest.csv --feature original_glcm_Contrast -o maps"),
    (report, "radiodeep report study -o report.html --title 'Lung nodules'"),
    (checklist, "radiodeep checklist study -o checklist.html --standard clear"),
    (train, "radiodeep train manifest.csv -o model.skops"),
    (score, "radiodeep score model.skops new.csv -o scores.csv"),
    (merge, "radiodeep merge part-*.csv -o features.csv"),
    (networks, "radiodeep networks\n  radiodeep networks ct-fm"),
    (classify, "radiodeep classify cat.jpg --network resnet50 --weights resnet50.safetensors"),
    (train_segmenter, "radiodeep train-segmenter manifest.csv -o segmenter.skops"),
    (
        segment,
        "radiodeep segment segmenter.skops new.csv -o masks\n  radiodeep segment threshold pet.csv -o masks",
    ),
    (demo, "radiodeep demo"),
):
    app.command(epilog=f"\b\nExample:\n  {_example}")(_command)
