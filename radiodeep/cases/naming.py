"""In: an error about a case. Out: the same error with the case's id in front of its message, once."""

from contextlib import contextmanager

from radiodeep.exceptions import InputError


class naming:
    """A context in which the messages of input errors begin with the id of a case, or of another object with an `id`.

    Contexts may be nested: an id that the message begins with is not repeated.
    """

    def __init__(self, case):
        self.case = case

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, InputError) and not names_case(error, self.case.id):
            raise kind(message_with_id(error, self.case.id)) from error


def names_case(error, case_id):
    """Return whether the message of an error begins with the id of a case."""
    return str(error).startswith(f"{case_id}:")


def message_with_id(error, case_id):
    """Return the message of an error of any kind, with the id of its case in front."""
    message = str(error) or "no details"
    return message if names_case(error, case_id) else f"{case_id}: {message}"


@contextmanager
def naming_image(case, name):
    """A context in which the messages of input errors name the case and its image, if that has a name."""
    try:
        yield
    except InputError as error:
        where = f"{case.id}: {name}:"
        if not name or str(error).startswith(where):
            raise
        text = message_with_id(error, case.id).removeprefix(f"{case.id}:")
        raise type(error)(f"{where}{text}") from error
