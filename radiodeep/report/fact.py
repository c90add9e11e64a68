"""What a study knows about one topic: `Fact`, and sentences of several models in one."""

from typing import NamedTuple


class Fact(NamedTuple):
    """A sentence about a study; `done` is False if it says that something was not done."""

    text: str
    done: bool = True


def fact(text, otherwise=None):
    """Return a text as a Fact; without text, the Fact that `otherwise` was the case, or None."""
    if text:
        return Fact(sentence(text))
    return None if otherwise is None else Fact(otherwise, done=False)


def joined(texts):
    """Return different texts as one, in their order; "" for none."""
    return "; ".join(dict.fromkeys(text for text in texts if text))


def by_model(texts):
    """Return a dict from model to text as one text, without the names if all models have the same; "" for none."""
    known = {name: text for name, text in texts.items() if text}
    if len(set(known.values())) == 1 and len(known) == len(texts):
        return next(iter(known.values()))
    return "; ".join(f"{name}: {text.removesuffix('.')}" for name, text in known.items())


def sentence(text):
    """Return a text with a capital letter and a full stop, unless it begins with a name in lower case."""
    first = text.split(" ", 1)[0]
    text = text[0].upper() + text[1:] if first.replace("-", "").isalpha() and first != "radiodeep" else text
    return text if text.endswith((".", "!", "?")) else f"{text}."
