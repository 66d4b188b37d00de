#!/usr/bin/env python3
"""Which tests check which statement of MQTT 5.0.

usage: tools/conformance.py write
       tools/conformance.py check BUILD_DIR [CTEST]

Reads tests/conformance/statements.tsv. `write` makes docs/conformance.md of it;
`check` fails if a statement lacks proof on a side that it binds, if a test or a
type that is named does not exist, or if the document is not what `write` makes.
Exit status: 0 all is well, 1 something is missing, 2 wrong usage.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests/conformance/statements.tsv"
DOCUMENT = ROOT / "docs/conformance.md"
COLUMNS = ["id", "binds", "paraphrase", "section", "server", "client"]
SIDES = ["server", "client"]

# The statements of MQTT 5.0 by the clause that numbers them; all begin at 1 but those of 2.2.1.
LAST = {
    "1.5.4": 3, "1.5.5": 1, "1.5.7": 1, "2.1.3": 1, "2.2.1": 6, "2.2.2": 1, "3.1.0": 2, "3.1.2": 30, "3.1.3": 12,
    "3.1.4": 6, "3.2.0": 2, "3.2.2": 22, "3.3.1": 13, "3.3.2": 20, "3.3.4": 10, "3.4.2": 3, "3.5.2": 3, "3.6.1": 1,
    "3.6.2": 3, "3.7.2": 3, "3.8.1": 1, "3.8.3": 5, "3.8.4": 8, "3.9.2": 2, "3.9.3": 2, "3.10.1": 1, "3.10.3": 2,
    "3.10.4": 6, "3.11.2": 2, "3.11.3": 2, "3.12.4": 1, "3.14.0": 1, "3.14.1": 1, "3.14.2": 4, "3.14.4": 3,
    "3.15.1": 1, "3.15.2": 3, "4.1.0": 2, "4.2.0": 1, "4.3.1": 1, "4.3.2": 5, "4.3.3": 13, "4.4.0": 2, "4.5.0": 2,
    "4.6.0": 6, "4.7.0": 1, "4.7.1": 2, "4.7.2": 1, "4.7.3": 4, "4.8.2": 6, "4.9.0": 3, "4.12.0": 7, "4.12.1": 2,
    "4.13.1": 1, "4.13.2": 1, "6.0.0": 4,
}
IDS = [f"MQTT-{clause}-{n}" for clause, last in LAST.items() for n in range(2 if clause == "2.2.1" else 1, last + 1)]

# What a reader must know of a section.
NOTES = {
    "6": "There is no WebSocket transport: such addresses are refused, so nothing of ours travels in frames.",
}

TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P)\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
TYPE = re.compile(r"\b(?:class|struct|enum class)\s+(?:\[\[nodiscard\]\]\s+)?(\w+)[^;\n]*\{")
STRUCTURAL = re.compile(r"structural: (\w+) \((.+)\)")


class Statement:
    def __init__(self, row):
        self.id, self.binds, self.paraphrase, self.section = row[:4]
        self.cells = dict(zip(SIDES, row[4:]))

    def binds_side(self, side):
        return self.binds in (side, "both")

    def structural(self, side):
        return STRUCTURAL.fullmatch(self.cells[side])

    def tests(self, side):
        return [] if self.cells[side] == "-" or self.structural(side) else [t for t in self.cells[side].split(",") if t]


def read_table():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    if lines[0].split("\t") != COLUMNS:
        sys.exit(f"{TABLE}: the first line is not: {' '.join(COLUMNS)}")
    rows = [line.split("\t") for line in lines[1:]]
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            sys.exit(f"{TABLE}:{number}: {len(row)} columns instead of {len(COLUMNS)}")
    return [Statement(row) for row in rows]


def find_in_sources(pattern, *folders):
    """What `pattern` captures, joined by dots, and the files that have it."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".cc", ".h"):
                continue
            for match in pattern.finditer(path.read_text(encoding="utf-8")):
                found.setdefault(".".join(match.groups()), []).append(path.relative_to(ROOT).as_posix())
    return found


# --- the document ------------------------------------------------------------------

def plain(text):
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", text)


def proof_of(statement, side, sources, types):
    structural = statement.structural(side)
    if structural:
        name, why = structural.groups()
        place = types.get(name, [""])[0]
        return f"structural: [`{name}`](../{place}): {plain(why)}"
    tests = [f"[{name}](../{sources[name][0]})" if name in sources else name for name in statement.tests(side)]
    return ", ".join(tests) or "**nothing**"


def document_of(statements, sources, types):
    count = lambda side, has: sum(1 for each in statements if each.binds_side(side) and has(each))
    lines = [
        "# Conformance",
        "",
        "Every normative statement of [MQTT 5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html), and what",
        "checks it on the side it binds: our broker as the server, our client as the client. The words are ours, the",
        "specification's are the ones that count. *Structural* means that a type makes the violation impossible.",
        "",
        "`./dev conformance` writes this page from [statements.tsv](../tests/conformance/statements.tsv); a test fails",
        "when a statement has no proof, when a test that is named does not exist, or when the page is out of date.",
        "",
        "| Side | Statements that bind it | checked by tests | structural | by nothing |",
        "|---|---|---|---|---|",
    ]
    for side in SIDES:
        tested = count(side, lambda each: bool(each.tests(side)))
        structural = count(side, lambda each: bool(each.structural(side)))
        bound = count(side, lambda each: True)
        lines.append(f"| {side} | {bound} | {tested} | {structural} | {bound - tested - structural} |")
    named = {test for each in statements for side in SIDES for test in each.tests(side)}
    lines += ["", f"{len(statements)} statements, {len(named)} tests.", ""]
    section = None
    for each in statements:
        if each.section != section:
            section = each.section
            lines += [f"## {plain(section)}", ""]
            note = NOTES.get(section.split()[0])
            lines += [note, ""] if note else []
        lines.append(f"**{each.id}** {plain(each.paraphrase)}")
        for side in SIDES:
            if each.binds_side(side):
                lines.append(f"- {side}: {proof_of(each, side, sources, types)}")
        lines.append("")
    return "\n".join(lines)


# --- the check -----------------------------------------------------------------------

def names_ctest_knows(build, ctest):
    """Each case's name, without the instantiation and parameter of a TEST_P."""
    listing = subprocess.run([ctest, "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True)
    if listing.returncode != 0:
        sys.exit(f"ctest cannot list the tests of {build}:\n{listing.stderr}")
    names = {test["name"] for test in json.loads(listing.stdout)["tests"]}
    missing = sorted(name.removesuffix("_NOT_BUILT") for name in names if name.endswith("_NOT_BUILT"))
    if missing:
        sys.exit(f"ctest knows a program's tests once it is built; these are not: {', '.join(missing)}")
    return {next((part for part in name.split("/") if "." in part), name) for name in names}


def problems_of(statements, sources, types, known):
    ids = [each.id for each in statements]
    for missing in (each for each in IDS if each not in ids):
        yield f"{missing}: not in the table"
    for number, each in enumerate(ids):
        if each not in IDS:
            yield f"{each}: no statement of MQTT 5.0"
        elif each in ids[:number]:
            yield f"{each}: twice in the table"
    for each in statements:
        if each.binds not in SIDES + ["both"]:
            yield f"{each.id}: binds '{each.binds}'; it must be server, client or both"
        for side in SIDES:
            yield from problems_of_side(each, side, sources, types, known)


def problems_of_side(statement, side, sources, types, known):
    where = f"{statement.id}, {side}"
    tests, structural = statement.tests(side), statement.structural(side)
    if not statement.binds_side(side):
        if statement.cells[side] != "-":
            yield f"{where}: does not bind this side; the column must be '-'"
    elif structural:
        if structural[1] not in types:
            yield f"{where}: there is no type {structural[1]}"
    elif not tests:
        yield f"{where}: neither a test nor a structural type"
    for test in tests:
        if test not in sources:
            yield f"{where}: no source has the test '{test}'"
        elif len(sources[test]) > 1:
            yield f"{where}: '{test}' may be any of {', '.join(sources[test])}"
        elif test not in known:
            yield f"{where}: ctest does not run '{test}'"


def main(arguments):
    statements = read_table()
    sources = find_in_sources(TEST, "tests")
    types = find_in_sources(TYPE, "mqtt", "broker-embedded", "rpc")
    document = document_of(statements, sources, types)
    if arguments == ["write"]:
        DOCUMENT.write_text(document, encoding="utf-8")
        return 0
    if len(arguments) not in (2, 3) or arguments[0] != "check":
        print(__doc__.strip(), file=sys.stderr)
        return 2
    known = names_ctest_knows(arguments[1], arguments[2] if len(arguments) == 3 else "ctest")
    problems = list(problems_of(statements, sources, types, known))
    if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != document:
        problems.append(f"{DOCUMENT.relative_to(ROOT)} is out of date; ./dev conformance writes it anew")
    for problem in problems:
        print(problem)
    print(f"{len(statements)} statements, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
