"""Makes text from messages safe to show: one line, no control characters, a bounded length."""

from monitor.model.tone import URGENCY, Tone, tone
from monitor.runtime.printable import clean, clean_lines, clip

__all__ = ["URGENCY", "Tone", "clean", "clean_lines", "clip", "tone"]
