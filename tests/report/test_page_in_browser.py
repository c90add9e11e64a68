"""The page in a headless Chromium: sorting, filtering, folding, opening cases, downloads, narrow screens and paper."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import (
    Case,
    Cohort,
    CoxRegression,
    RadiomicsExtractor,
    ReliefF,
    cross_validate_models,
    cross_validated_score,
    extract_table,
    make_phantom_cohort,
    write_report,
)

pytestmark = pytest.mark.slow
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one, or without its driver, the tests are skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="needs a browser: .ci/browser installs what drives it")
    if _CHROMIUM is None:
        pytest.skip("needs a browser: .ci/browser installs Chromium")
    with api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a file at a width and colour scheme; no page may write to the console or use a network."""
    pages, said, asked = [], [], []

    def open_page(path, width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(180_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of two models with pictures, and the results."""
    cohort = make_phantom_cohort(40, random_state=0, clinical=True)
    cohort = Cohort(case.replace(id=f"{case.id} <i>&") for case in cohort)
    shape = RadiomicsExtractor(families=["shape", "firstorder"])
    table = extract_table(shape, cohort)
    models = {"five": make_pipeline(ReliefF(5), GaussianNB()), "all <b>": GaussianNB()}
    results = cross_validate_models(models, table, cohort.labels, cv=5, n_repeats=2)
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(results, path, title="A <b>study</b>", cohort=cohort, table=table), results


def column(page, number):
    return page.locator(f"table.cases tbody tr:visible td:nth-child({number})").all_inner_texts()


def test_a_click_on_a_heading_sorts_the_cases(report, opened):
    page = opened(report[0])
    numbers = np.array(column(page, 3), dtype=float)
    assert (np.diff(numbers) < 0).any()
    heading = page.locator("table.cases th:nth-child(3)")
    heading.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, 3) == sorted(column(page, 3), key=float)
    heading.press("Enter")
    assert column(page, 3) == sorted(column(page, 3), key=float, reverse=True)
    page.locator("table.cases th:nth-child(1)").click()
    assert column(page, 1) == sorted(column(page, 1))
    assert heading.get_attribute("aria-sort") is None


def test_the_filter_keeps_the_cases_that_hold_all_words_and_the_box_those_predicted_wrong(report, opened):
    path, results = report
    page = opened(path)
    page.fill(".filter", "phantom-00")
    assert len(column(page, 1)) == 10
    assert page.inner_text(".count") == "10 of 40 cases"
    page.fill(".filter", "")
    page.check(".only-wrong")
    best = max(results.values(), key=lambda result: result.value)
    wrong = best.predictions["prediction"] != best.predictions["label"]
    assert sorted(column(page, 1)) == sorted(best.predictions.index[wrong])


def test_rows_pictures_and_dots_open_their_case(report, opened):
    page = opened(report[0])
    ids = list(next(iter(report[1].values())).predictions.index)
    dialog = page.locator("dialog.case")
    page.locator("table.cases tbody tr").nth(2).click()
    third = column(page, 1)[2]
    assert dialog.locator("h3").inner_text() == third
    assert dialog.locator("svg path").count() == 1
    dialog.get_by_text("Next").click()
    assert dialog.locator("h3").inner_text() == column(page, 1)[3]
    dialog.get_by_text("Close").click()
    assert not dialog.is_visible()
    page.locator(".lesion a").first.click()
    assert dialog.locator("h3").inner_text() == column(page, 1)[0]
    page.keyboard.press("Escape")
    dot = page.locator(".drawing a[*|href='#case-17'] use").first
    dot.dispatch_event("click")
    assert dialog.locator("h3").inner_text() == ids[17]
    assert "Label" in dialog.inner_text()


def test_what_is_folded_opens_and_links_of_the_contents_lead_somewhere(report, opened):
    page = opened(report[0])
    folded = page.locator("details:has(summary:text('Settings'))").first
    assert not folded.locator("table").is_visible()
    folded.locator("summary").click()
    assert folded.locator("table").is_visible()
    inner = page.locator("nav .inner a").last
    inner.click()
    assert page.locator(inner.get_attribute("href")).locator("p").first.is_visible()
    targets = page.eval_on_selector_all("nav a", "links => links.map(link => link.getAttribute('href'))")
    assert len(targets) > 8
    for target in targets:
        assert page.locator(target).count() == 1
    assert page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id).length") == page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    )


def test_figures_and_tables_can_be_downloaded(report, opened, tmp_path):
    page = opened(report[0])
    figure = page.locator(".drawing:has(button:text('csv'))").first
    saved = {}
    for kind in ("SVG", "PNG", "csv"):
        with page.expect_download() as download:
            figure.get_by_role("button", name=kind, exact=True).click()
        saved[kind] = tmp_path / f"file.{kind}"
        download.value.save_as(saved[kind])
    assert saved["SVG"].read_text().startswith("<svg")
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")
    assert saved["PNG"].stat().st_size > 10_000
    assert len(pd.read_csv(saved["csv"])) > 1
    with page.expect_download() as download:
        page.locator(".save-table").click()
    download.value.save_as(tmp_path / "cases.csv")
    cases = pd.read_csv(tmp_path / "cases.csv")
    assert len(cases) == 40
    assert cases["Case"].tolist() == column(page, 1)


def test_the_methods_can_be_copied(report, opened):
    page = opened(report[0])
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("getSelection().toString()").startswith("We studied 40")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_figures_stay_on_white(report, opened, scheme, tmp_path):
    for width in (400, 1280):
        page = opened(report[0], width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        picture = page.screenshot(full_page=True, path=tmp_path / f"{width}.png")
        assert len(picture) > 100_000
    colour = page.evaluate("getComputedStyle(document.querySelector('.vector')).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
    text, paper = page.evaluate(
        "(() => { const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]; })()"
    )
    assert abs(_lightness(text) - _lightness(paper)) > 0.7


def _lightness(colour):
    return np.mean([int(part) for part in colour.strip("rgb()").split(",")]) / 255


def test_texts_of_a_figure_do_not_overlap_each_other(report, opened):
    page = opened(report[0])
    assert page.locator("details.fold").count() > 1
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.evaluate(_OVERLAPS) == []


_OVERLAPS = """() => [...document.querySelectorAll('.vector > svg')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].filter(each => each.textContent.trim()).map(each => {
    const box = each.getBoundingClientRect();
    return [each.textContent, box.left + 1, box.top + 2, box.right - 1, box.bottom - 2];
  });
  const found = [];
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
    if (a[1] < b[3] && b[1] < a[3] && a[2] < b[4] && b[2] < a[4])
      found.push(`${svg.getAttribute('aria-label')}: ${a[0]} / ${b[0]}`);
  }));
  return found;
})"""


def test_it_prints_on_paper_without_tools_and_in_black(report, opened, tmp_path):
    page = opened(report[0], scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".tools").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    pdf = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000


@pytest.mark.parametrize("kind", ["several classes", "numbers", "survival"])
def test_every_kind_of_outcome_opens_without_an_error(kind, opened, tmp_path):
    cohort = make_phantom_cohort(40, random_state=0, survival=kind == "survival")
    table = extract_table(RadiomicsExtractor(families=["shape"]), cohort)
    if kind == "survival":
        model, y = CoxRegression(alpha=1.0), cohort.survival
    elif kind == "numbers":
        model, y = Ridge(), cohort.frame["correlation_mm"]
    else:
        model, y = GaussianNB(), np.digitize(cohort.frame["spiculation"], [0.12, 0.21])
    result = cross_validated_score(model, table, np.asarray(y), cv=4, n_repeats=2)
    page = opened(write_report(result, tmp_path / "report.html", cohort=cohort, table=table))
    page.locator("table.cases tbody tr").first.click()
    assert page.locator("dialog.case svg").is_visible()
    assert page.evaluate(_OVERLAPS) == []


@pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # of equal nodules and of size
def test_a_report_of_882_nodules_stays_small_and_works(reference_data, opened, tmp_path):
    stored = np.load(reference_data / "lidc_nodule_slices" / "lidc882_slices64.npz", allow_pickle=True)
    images, nodules = stored["images"], stored["nodule_index"]
    largest = pd.Series((images > 0).sum(axis=(1, 2))).groupby(nodules).idxmax()
    cohort = Cohort(
        Case(images[row], images[row] > 0, f"nodule {number}", (1, 1), label=int(stored["label"][number]))
        for number, row in largest.items()
    )
    table = extract_table(RadiomicsExtractor(families=["shape2D"]), cohort)
    models = {name: make_pipeline(ReliefF(n), GaussianNB()) for name, n in (("two", 2), ("five", 5), ("eight", 8))}
    results = cross_validate_models(models, table, cohort.labels, cv=5, n_repeats=2)
    path = write_report(results, tmp_path / "report.html", cohort=cohort, table=table)
    assert path.stat().st_size < _MOST_BYTES
    page = opened(path)
    assert page.locator(".lesion").count() == 300
    assert page.inner_text(".count") == "882 of 882 cases"
    shown = page.eval_on_selector_all(".lesion", "all => all.map(each => each.dataset.case)")
    without = next(str(position) for position in range(882) if str(position) not in shown)
    page.locator(f"#case-{without}").click()
    assert "no picture of the case" in page.locator("dialog.case").inner_text()
