"""CUDA for the GPU: kernels (.cu) and cublasLt's matrix products."""
