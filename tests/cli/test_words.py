"""Messages of the Python interface in words of the command line."""

import pytest

from radiodeep.cli.words import in_command_words


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("The 'n_jobs' parameter must be an int.", "--jobs must be an int."),
        ("The 'positive' parameter of an AUC must be 0.", "--positive must be 0."),
        ("The 'sigma' parameter of the image type LoG must be a list.", "--sigma must be a list."),
        ("The 'n_jobs' parameter of rows_by_case must be 1.", "--jobs must be 1."),
        (
            "Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32.",
            "Use a smaller --bin-width, or --bin-count 32.",
        ),
        ("use load_model(path, allow_other_versions=True).", "use --other-versions."),
        ("Give it with load_model(path, weights='r18.pth').", "Give it with --weights FILE."),
        ("Compare its AUC with that of size alone, result.size_baseline.", "Compare its AUC with that of size alone."),
        (
            "Study one class against the others, e.g. y == 'large'.",
            "Study one class against the others: write 1 and 0 into the column of the labels.",
        ),
        ("The 'threshold' parameter of RepeatableFeatures must be <= 1.", "--repeatable must be <= 1."),
        ("Leave cells blank, or take the values as categories with kinds={'age': 'category'}.", "Leave cells blank."),
        ("Leave it blank, or name another kind, e.g. kinds={'age': 'category'}.", "Leave it blank."),
        ("Theirs are: age. Or pass one value per case.", "Theirs are: age."),
        ("'my_bin_width.csv' and /data/bin_width/a stay", "'my_bin_width.csv' and /data/bin_width/a stay"),
    ],
)
def test_messages_speak_of_options(message, shown):
    assert in_command_words(message) == shown
