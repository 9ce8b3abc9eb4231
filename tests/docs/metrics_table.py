"""The table of metrics in docs/gateway.md: ``python -m tests.docs.metrics_table`` writes it again."""

from __future__ import annotations

from pathlib import Path

from headrace.metrics import TABLE
from headrace.metrics_guide import WHEN_IT_MOVES

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
MARK = "<!-- metrics: gateway -->\n"


def table() -> str:
    """The gateway's metrics in Markdown."""
    rows = [
        f"| `{spec.full_name}` | {', '.join(spec.labels)} | {spec.help} | {WHEN_IT_MOVES.get(spec.name, '')} |"
        for spec in TABLE
        if spec.program == "gateway"
    ]
    return (
        "\n".join(["| metric | labels | help | when it moves |", "|---|---|---|---|", *rows]) + "\n"
    )


def main() -> None:
    head = PAGE.read_text(encoding="utf-8").split(MARK)[0]
    PAGE.write_text(head + MARK + table(), encoding="utf-8")


if __name__ == "__main__":
    main()
