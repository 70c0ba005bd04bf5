"""Thousands of generations through a real ComfyUI, and what must not grow (`make soak`)."""
