"""The board of a watch: what it says while it runs, and below it a line on how things stand."""

from __future__ import annotations

from rich.live import Live
from rich.text import Text

from analysis.console.program import error_console, output_console
from analysis.console.summary import UNWRAPPED


class Board:
    """What a watch says: results to stdout, all else to stderr; on a terminal also how things stand."""

    def __init__(self) -> None:
        self._console = error_console()
        out = output_console()
        # On a terminal both streams are one: the line on how things stand has to know what is printed above it.
        self._results = self._console if out.is_terminal and self._console.is_terminal else out
        if not out.is_terminal:
            out.width = UNWRAPPED
        self._live = Live(Text(""), console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, message: str, style: str = "") -> None:
        """Say what happens."""
        self._console.print(message, style=style, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def complain(self, message: str) -> None:
        """Say what is not as it should be."""
        self.say(message, style="yellow")

    def result(self, message: str) -> None:
        """Say what was found."""
        self._results.print(message, style="bold", soft_wrap=True, highlight=False, markup=False, emoji=False)

    def show_status(self, message: str) -> None:
        """Show a line on how things stand, in the place of the line that was shown before."""
        if self._live.is_started:
            self._live.update(Text(message, overflow="ellipsis", no_wrap=True, style="cyan"), refresh=True)
