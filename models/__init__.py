"""The detectors, their thresholds and ranks, the export to ONNX and the model folder on disk."""
