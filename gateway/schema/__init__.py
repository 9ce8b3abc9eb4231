"""What is known of each series: whether it is numbers or texts, and in which unit.

Nothing is refused for it: a reading has a column for a number and one for a text, and every reading that
reaches the lake carries its unit. But somebody who looks at one of both should hear of the other.

Reading order: ``known`` (what a batch changes), ``consumer`` (behind the journal).
"""

from gateway.schema.consumer import SchemaConsumer

__all__ = ["SchemaConsumer"]
