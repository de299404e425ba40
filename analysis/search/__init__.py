"""The search: from the events of a finished run to a statement about an excess."""
