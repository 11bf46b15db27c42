"""The result of recording a call: plain data and tensors, without any module."""
