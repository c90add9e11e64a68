"""Facts of a study -> checklists as a file: a page, or a table."""

from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from radiodeep.files import replacing, write_table
from radiodeep.report.checklist import NOTE, STANDARDS, checklist_summary, filled_in

_STYLE = Path(__file__).with_name("page.css")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>{{ style }} body { max-width: 80rem; } section td:last-child { min-width: 16rem; }</style></head><body>
{%- macro rows_of(table) %}
<div class="scroll"><table><thead><tr>{% for name in table.columns %}<th>{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for row in table.itertuples(index=False) %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{%- endmacro %}
<h1>{{ title }}</h1>
{{ rows_of(summary) }}
<p class="note">{{ note }}</p>
{% for heading, table in tables.items() %}<section><h2>{{ heading }}</h2>{{ rows_of(table) }}</section>
{% endfor %}</body></html>
"""


def write_checklist(facts, path, standards=tuple(STANDARDS), title="Checklists of reporting"):
    """Write standards, filled in with the facts of `study_facts`, as one page (.html) or one table (.csv).

    The table has the columns of `checklist` after that of the `standard`. Return the path.
    """
    tables = {name: filled_in(name, facts) for name in standards}
    if Path(path).suffix == ".csv":
        write_table(pd.concat(tables, names=["standard"]).droplevel(1).reset_index(), path, index=False)
        return Path(path)
    page = jinja2.Environment(autoescape=True).from_string(_PAGE)
    summary = checklist_summary(facts).loc[list(standards)].reset_index()
    shown = {f"{name} ({STANDARDS[name].reference})": table.drop(columns="source") for name, table in tables.items()}
    style = Markup(_STYLE.read_text("utf-8"))  # our own file
    text = page.render(title=title, style=style, summary=summary, note=NOTE, tables=shown)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)
