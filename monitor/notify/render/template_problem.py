"""What is wrong with a template."""

from monitor.runtime.errors import MonitorError


class TemplateProblem(MonitorError):
    """A template cannot be compiled or rendered. ``line`` counts from 1; ``message`` is a sentence without the position."""

    exit_code = 78

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message
