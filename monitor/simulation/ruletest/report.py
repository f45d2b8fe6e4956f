"""Renders the results of rule tests as JSON, and as JUnit's XML for build servers."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

from monitor.simulation.ruletest.run import Verdict


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Returns ``{"passed", "failed", "tests": [{"file", "line", "name", "ok", "message"}]}``."""
    passed = sum(verdict.ok for verdict in verdicts)
    tests = [
        {"file": one.file, "line": one.line, "name": one.name, "ok": one.ok, "message": one.message} for one in verdicts
    ]
    return {"passed": passed, "failed": len(verdicts) - passed, "tests": tests}


def junit(verdicts: Sequence[Verdict]) -> bytes:
    """Returns JUnit's XML: one suite for each file, one case for each test."""
    root = ElementTree.Element("testsuites", _totals(verdicts))
    for file, group in groupby(verdicts, lambda verdict: verdict.file):
        some = list(group)
        suite = ElementTree.SubElement(root, "testsuite", {"name": file} | _totals(some))
        for verdict in some:
            attributes = {"name": verdict.name, "classname": file, "file": file, "line": str(verdict.line)}
            case = ElementTree.SubElement(suite, "testcase", attributes | {"time": f"{verdict.seconds:.3f}"})
            if not verdict.ok:
                first = verdict.message.partition("\n")[0]
                ElementTree.SubElement(case, "failure", {"message": first}).text = verdict.message
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return text


def _totals(verdicts: Sequence[Verdict]) -> dict[str, str]:
    failed = sum(not verdict.ok for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    return {"tests": str(len(verdicts)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}
