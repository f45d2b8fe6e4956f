"""Thresholds that an account's own history suggests for a wished number of alerts a week.

recorded   what a rule found at each evaluation, apart from its thresholds    ladder     thresholds that a person would write
replayed   the alerts that other thresholds would have raised                 ordinary   usual values, and the distance to keep from them
proposal   which threshold is proposed, or why none is                        picture    values against both thresholds, a row for each day
patch      proposals as a unified diff of the rule files                      report     JSON, and lines of text
"""
