"""Values of the environment are shown by the names of their variables."""

from monitor.runtime.environment_values import named, remember


def test_a_name_that_was_just_put_in_is_not_taken_for_another_variables_value() -> None:
    remember("RIM_FIRST_TOKEN", "longest-value-of-the-rim")
    remember("RIM_SECOND", "RIM_FIRST_TOKEN")
    assert named("it says longest-value-of-the-rim") == "it says ${RIM_FIRST_TOKEN}"
    assert named("it says RIM_FIRST_TOKEN") == "it says ${RIM_SECOND}"


def test_the_longest_value_comes_first_in_any_case_and_as_it_is_quoted() -> None:
    remember("RIM_SHORT", "rim-value")
    remember("RIM_LONG", "rim-value\\of-the-rim")
    said = named("RIM-VALUE, rim-value\\of-the-rim, " + repr("Rim-Value\\of-the-rim"))
    assert said == "${RIM_SHORT}, ${RIM_LONG}, '${RIM_LONG}'"


def test_a_value_whose_small_letters_are_longer_is_found() -> None:
    remember("RIM_DOTTED", "İstanbul-of-the-rim")
    assert named("a İSTANBUL-of-the-rim b") == "a ${RIM_DOTTED} b"
