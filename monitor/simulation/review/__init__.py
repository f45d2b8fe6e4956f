"""What each rule did in an account's own past, and what would suit it better.

alerts     the alerts of a rule, as they were raised or as they are judged now    reach     whether a rule could have fired, and how near it came
overlap    which rules' alerts come together                                      verdict   what is wrong with a rule, and one sentence of advice
report     JSON, and lines of text                                                rules     all of it, for each rule
"""
