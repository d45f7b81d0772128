"""CUDA kernels without a GPU: run by an emulator, compiled by NVIDIA's compiler."""
