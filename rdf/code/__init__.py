"""Text that becomes compiled C++: columns, and detectors' networks."""
