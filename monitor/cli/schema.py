"""``routee-monitor schema``: prints JSON Schemas of the files that users write, for editors."""

import click

from monitor.cli.choices import OneOf
from monitor.cli.options import unused_config_option
from monitor.cli.table import print_json


@click.command(short_help="Print the JSON Schema of your files.")
@click.argument("what", metavar="config|rules|tests", type=OneOf(["config", "rules", "tests"]))
@unused_config_option
def schema(what: str) -> None:
    """Print the JSON Schema of monitor.yaml (config), of rule files (rules) or of rule tests (tests), so that an editor completes and checks them.

    \b
    routee-monitor schema rules > monitor-rules.schema.json
    and as the first line of a rule file:
    # yaml-language-server: $schema=../monitor-rules.schema.json

    \b
    Exit codes: 0 printed.
    """
    from monitor.cli.json_schema import config_schema, rule_tests_schema, rules_schema

    made = {"config": config_schema, "rules": rules_schema, "tests": rule_tests_schema}
    print_json(made[what]())
