"""The catalogue: what is cited is defined, what is promised is there, the page is what the table says; and nothing cites a file that is not
in the repository. Each rule has a specimen that breaks it."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import stress.catalogue as module
from kernels.base.layout import Bug
from stress.catalogue import PAGE, ROOT, cited, expand, read_catalogue, read_facts, read_sites, render
from stress.errors import UserError

pytestmark = pytest.mark.slow  # imports every model

CITING = ("kernels", "stress", "docs", "tests", "README.md", "CONTRIBUTING.md")
KINDS = (".py", ".md", ".toml", ".patch", ".json")
PROTOCOLS = ROOT / "docs" / "protocols.md"
PARTS = ("Linux", "Rules", "Here", "Differs", "Guards")
#: notes that are not part of the repository, however they are named; and paths into their folder
ABSENT = re.compile(r"linux-mm(-\d+)?" + r"\.md|\.\./" + r"shared|\bdesign \d|\bdesign" + r"\.md")
SHARED = re.compile(r"[\"']" + r"shared[\"'] */")
#: tests that read data there (litmus tests with published verdicts, a recorded machine) and are skipped without them
READERS = {"test_command.py"}  # of the litmus tests that are not part of the repository
ABOVE = "I" + "77"  # of no table


@pytest.fixture(scope="module")
def catalogue():
    return read_catalogue()


@pytest.fixture(scope="module")
def facts():
    return read_facts()


def tracked_files():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def citing_files():
    return [path for path in tracked_files() if path.suffix in KINDS and path.relative_to(ROOT).parts[0] in CITING]


# ------------------------------------------------------------------------------------------------------------------ citations


def undefined(path, text, catalogue):
    return [f"{path}: {name}" for name in cited(text) if name not in catalogue.ids]


def test_every_id_that_is_cited_is_defined(catalogue):
    files = citing_files()
    assert len(files) > 300
    found = [each for path in files for each in undefined(path.relative_to(ROOT), path.read_text(errors="replace"), catalogue)]
    assert not found, "cited and not in stress/catalogue.toml\n  " + "\n  ".join(found)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('    "linux-mm 2.2; B1-B4, I10, I12",', ["B1", "B4", "I10", "I12"]),  # a model
        ('recreates = "D8 (d6d86c0a7f8d): lost pages; F5"', ["D8", "F5"]),  # a seeded bug
        ('invariant = "F-1, I2"', ["F-1", "I2"]),
        ("Invariants  I12-I16: the copy comes after the flush; L1: bounded", ["I12", "I16", "L1"]),  # the head of a kernel
        ('CHECKER = checking("tlb", ("I12",), "...", _check)', ["I12"]),
        ("    SHADOW = 2  # I2", ["I2"]),
        ("Step 1 is load-bearing (P8; I13), see A12.", ["P8", "I13", "A12"]),  # prose
        ("see [I18](invariants.md#i18-nothing), P6-P8", ["I18", "P6", "P8"]),
        ("I/O, I64(0), i64, 0xB8, 3A1, B8f, H200, C++, x-I3, A0, _I3", []),
    ],
)
def test_citations_are_seen_where_they_are(text, ids):
    assert cited(text) == ids


def test_what_the_records_cite_is_seen_in_their_files(facts):
    """Or the rule above would look at files and see nothing."""
    for name, checker in facts.checkers.items():
        assert set(cited((ROOT / "stress" / "checkers" / f"{name}.py").read_text())) >= set(checker.invariants) - {"bounds"}
    models = {name for path in citing_files() if "models" in path.parts for name in cited(path.read_text())}
    assert models >= {name for model in facts.models.values() for name in cited(model.protocol)} != set()
    for bug in facts.seeded:
        assert set(cited(bug.story.recreates + bug.story.invariant)) <= set(cited(bug.patch.with_suffix(".toml").read_text()))


def test_an_undefined_id_is_reported(catalogue):
    assert undefined("x.py", f"kin of {ABOVE} and A12", catalogue) == [f"x.py: {ABOVE}"]


def test_a_range_cites_what_is_between(catalogue):
    assert expand("I12-I16", catalogue.ids) == {"I12", "I13", "I14", "I15", "I16"}
    assert expand("B1-B8", catalogue.ids) == {"B1", "B2", "B3", "B4", "B6", "B7", "B8"}
    assert expand("F-1, F-4", catalogue.ids) == {"F-1", "F-4"}


# --------------------------------------------------------------------------------------------------------------------- guards


def unguarded(catalogue, facts):
    """Invariants with no checker, no assertion and no reason; and those with a reason that is no longer true."""
    for name, invariant in catalogue.invariants.items():
        guarded = bool(facts.checkers_of(name) or facts.codes_of(name))
        if not guarded and not invariant.unchecked:
            yield f"{name}: no checker, no assertion, no reason"
        if guarded and invariant.unchecked:
            yield f"{name}: has a checker or an assertion, and says why it has none"
        if bool(facts.checkers_of(name)) != bool(invariant.at_rest):
            yield f"{name}: `at_rest` and its checkers do not fit"


def test_every_invariant_is_guarded_or_says_why_not(catalogue, facts):
    assert list(unguarded(catalogue, facts)) == []


@pytest.mark.parametrize(("name", "change"), [("I7", {"unchecked": ""}), ("I2", {"unchecked": "it is not"}), ("I14", {"at_rest": ""})])
def test_an_unguarded_invariant_is_reported(catalogue, facts, name, change):
    changed = catalogue.invariants | {name: catalogue.invariants[name].model_copy(update=change)}
    assert [each.split(":")[0] for each in unguarded(catalogue.model_copy(update={"invariants": changed}), facts)] == [name]


def unknown_invariants(catalogue, facts):
    """What checkers, assertions and seeded bugs break that the table does not have."""
    broken = {name for checker in facts.checkers.values() for name in checker.invariants} | {code.invariant for code in Bug}
    broken |= {name for bug in facts.seeded for name in module.broken_by(bug)}
    return broken - set(catalogue.invariants)


def test_what_nets_break_is_an_invariant(catalogue, facts):
    assert not unknown_invariants(catalogue, facts)


def test_an_unknown_invariant_is_reported(catalogue, facts):
    fewer = {name: each for name, each in catalogue.invariants.items() if name != "I13"}
    assert unknown_invariants(catalogue.model_copy(update={"invariants": fewer}), facts) == {"I13"}


def unproved(facts):
    return [name for name in facts.checkers if not facts.proofs_of(name)]


def test_every_checker_is_proved_by_a_seeded_bug(facts):
    assert unproved(facts) == []


def test_an_unproved_checker_is_reported(facts):
    fewer = [bug for bug in facts.seeded if "tlb" not in bug.story.proves]
    assert unproved(replace(facts, seeded=fewer)) == ["tlb"]


def test_every_code_is_used_somewhere(facts):
    assert [code.name for code in Bug if not facts.sites[code] and code not in module.UNCALLED] == []


def test_a_call_of_bug_is_found(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "x.py").write_text(
        "def f(mem, cpu):\n    bug(mem, cpu, BUG_SHADOW, 0, 0, 0)\n    bug(mem, cpu, code, 0, 0, 0)\n"
    )
    sites = read_sites(tmp_path)
    assert sites[Bug.SHADOW] == [("kernels/x.py", "f")]
    assert sum(map(len, sites.values())) == 1


# ------------------------------------------------------------------------------------------------------------------- the pages


def test_the_page_is_what_the_table_and_the_records_say(catalogue, facts):
    assert PAGE.read_text() == render(catalogue, facts), "python -m stress.catalogue --write"


def test_a_change_of_table_or_records_changes_the_page(catalogue, facts):
    page = render(catalogue, facts)
    stated = catalogue.invariants | {"I1": catalogue.invariants["I1"].model_copy(update={"statement": "Frames are kept."})}
    assert render(catalogue.model_copy(update={"invariants": stated}), facts) != page
    assert render(catalogue, replace(facts, seeded=facts.seeded[1:])) != page
    assert render(catalogue, replace(facts, models={})) != page


def test_the_list_has_each_invariant_and_its_title(catalogue):
    listed = [line.split(maxsplit=1) for line in module.listing()]
    assert listed == [[name, each.title] for name, each in catalogue.invariants.items()]


def test_the_command_prints_and_writes(catalogue, facts, capsys, monkeypatch, tmp_path):
    page = render(catalogue, facts)
    assert module.main([]) == 0
    assert capsys.readouterr().out == page
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    assert module.main(["--write"]) == 0
    assert (tmp_path / "page.md").read_text() == page
    assert capsys.readouterr().out == ""


def incomplete_sections(text, catalogue):
    """Sections of docs/protocols.md that are not those of the table, or lack a part; and kernels that are not there."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    heads = [section.splitlines()[0] for section in sections]
    wanted = [f"{name} {title}".lower() for name, title in catalogue.protocols.items()]
    if [head.lower() for head in heads] != wanted:
        yield f"sections are {heads}"
    for head, section in zip(heads, sections, strict=True):
        yield from (f"{head}: no {part}" for part in PARTS if f"\n**{part}" not in section)
        yield from (f"{head}: no {path}" for path in re.findall(r"kernels/\w+/\w+\.py", section) if not (ROOT / path).is_file())


def test_protocols_are_described(catalogue):
    assert list(incomplete_sections(PROTOCOLS.read_text(), catalogue)) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("## P2 ", "## 2 ", "sections are"),
        ("\n**Guards.** I2, I3, F-2; A12.", "", "no Guards"),
        ("kernels/page/refcount.py", "kernels/page/no_such_file.py", "no kernels/page/no_such_file.py"),
    ],
)
def test_a_gap_in_the_protocols_is_reported(catalogue, before, after, said):
    text = PROTOCOLS.read_text()
    assert before in text
    assert any(said in each for each in incomplete_sections(text.replace(before, after), catalogue))


# ------------------------------------------------------------------------------------------------------- files that are absent


def absent_citations(path, text):
    lines = enumerate(text.splitlines(), 1)
    return [
        f"{path}:{number}: {line.strip()}"
        for number, line in lines
        if ABSENT.search(line) or (SHARED.search(line) and Path(path).name not in READERS)
    ]


def test_no_file_cites_notes_that_are_not_in_the_repository():
    texts = [path for path in tracked_files() if path.suffix in KINDS or path.suffix == ""]
    found = [each for path in texts for each in absent_citations(path.relative_to(ROOT), path.read_text(errors="replace"))]
    assert not found, "cited and not in the repository\n  " + "\n  ".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "see linux-mm" + ".md 2.3",
        "linux-mm-2026" + ".md",
        "Path('../" + "shared/x.json')",
        '    "design ' + '3, offline = none",',
        f"ROOT.parent / {'shared'!r} / 'litmus.json'",
    ],
)
def test_a_citation_of_absent_notes_is_reported(line):
    assert absent_citations("kernels/x.py", line)


@pytest.mark.parametrize("line", ["linux-mm, 7 Jan 2025", "shared/exclusive", "the design", "a shared page", "docs/protocols.md"])
def test_other_words_are_left_alone(line):
    assert not absent_citations("kernels/x.py", line)


# ------------------------------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("open = true", "opened = true", "bugs.A12.opened"),
        ('title = "conservation"\n', "", "invariants.I1.title"),
        ('protocols = ["P12", "P22"]', f"protocols = ['{ABOVE}']", f"there is no {ABOVE}"),
        ('invariants = ["I10"]', f"invariants = ['{ABOVE}']", f"there is no {ABOVE}"),
        ('note = "A metric, no invariant."', "", "D6: no invariant detects it"),
        ("[protocols]", "[protocols", "line"),
    ],
)
def test_a_mistake_in_the_table_is_one_line(tmp_path, before, after, said):
    text = module.TABLE.read_text()
    assert before in text
    path = tmp_path / "catalogue.toml"
    path.write_text(text.replace(before, after))
    with pytest.raises(UserError, match=re.escape(said)) as error:
        read_catalogue(path)
    assert "\n" not in str(error.value)
