"""safetensors files of arrays."""
