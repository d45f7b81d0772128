"""Can this GPU be used, and what can it do? If not: what is wrong, and the cure.

`cupy` is always the module, imported by whoever asks.
"""

TENSOR_CORES = (8, 0)  # the compute capability (Ampere) from which on there are bf16 and TF32
INSTALL = "pip install '.[gpu]' (CUDA 13) or '.[gpu-cuda12]' (CUDA 12)"


def check_usable(cupy, place=None):
    """Raise ValueError unless CuPy finds a driver and a device and can compute there.

    `place` is (index, n) of n processes on this computer which want a GPU each: then this one
    computes on the GPU with that index from now on.
    """
    runtime = cupy.cuda.runtime
    driver = runtime.driverGetVersion()  # as 12080, for CUDA 12.8; 0 without a driver
    if not driver:
        raise ValueError(
            "device is 'gpu', but no NVIDIA driver was found; `nvidia-smi` must list a GPU: "
            "install the driver, or use the device 'cpu'"
        )
    built = runtime.runtimeGetVersion()
    if driver // 1000 < built // 1000:
        raise ValueError(
            f"device is 'gpu', but the driver is made for CUDA {version(driver)} and this CuPy "
            f"for CUDA {version(built)}; they must belong together: install a newer driver, or "
            f"{INSTALL}"
        )
    try:
        n_devices = runtime.getDeviceCount()
    except RuntimeError:
        n_devices = 0
    if not n_devices:
        raise ValueError(
            "device is 'gpu', but the driver finds no GPU; `nvidia-smi` must list one, and "
            "CUDA_VISIBLE_DEVICES must not hide it; or use the device 'cpu'"
        )
    if place is not None:
        take_gpu(cupy, n_devices, *place)
    try:
        float((cupy.ones((2, 2)) @ cupy.ones((2, 2))).sum())  # compiles a kernel, loads cuBLAS
    except (ImportError, OSError, RuntimeError) as error:
        raise ValueError(
            f"device is 'gpu', but CuPy cannot compute ({one_line(error)}); install the CuPy made "
            f"for your CUDA, with its libraries: {INSTALL}"
        ) from error


def take_gpu(cupy, n_devices, index, n):
    """Compute on the GPU with this index from now on; raise ValueError if n processes have fewer.

    First of all: whatever is made on another GPU before takes memory there, half a gigabyte.
    """
    if n > n_devices:
        raise ValueError(
            f"this computer has {n_devices} GPU{'s' * (n_devices > 1)} for {n} processes; each "
            f"process must have one: start fewer here (mpiexec -n {n_devices}), or let "
            f"CUDA_VISIBLE_DEVICES show all GPUs to each"
        )
    cupy.cuda.Device(index).use()


def import_failed(error, is_installed):
    """Return the ValueError to raise where `import cupy` failed with `error`."""
    if not is_installed:
        return ValueError(
            f"device is 'gpu', which needs CuPy, and CuPy is not installed; install it with "
            f"{INSTALL}, or use the device 'cpu'"
        )
    return ValueError(
        f"device is 'gpu', but the installed CuPy cannot be loaded ({one_line(error)}); install "
        f"the one made for your CUDA: {INSTALL}"
    )


def choose_precision(cupy, wanted=None):
    """Return the precision to compute in: `wanted`, or the fastest that the GPU can do.

    Raises ValueError for bf16 and tf32 on a GPU that is too old for them.
    """
    device = cupy.cuda.Device()
    capability = tuple(divmod(int(device.compute_capability), 10))  # "90" is 9.0
    if capability >= TENSOR_CORES:
        return wanted or "bf16"
    if wanted in ("tf32", "bf16"):
        name = cupy.cuda.runtime.getDeviceProperties(device.id)["name"].decode()
        raise ValueError(
            f"precision is {wanted!r}, which needs a GPU of compute capability "
            f"{TENSOR_CORES[0]}.{TENSOR_CORES[1]} or more, and the {name} has "
            f"{capability[0]}.{capability[1]}; use --precision fp32"
        )
    return "fp32"


def free_bytes(cupy):
    """Return (bytes that are free on the current device, bytes it has).

    What CuPy keeps for reuse counts as free.
    """
    free, total = cupy.cuda.runtime.memGetInfo()
    return free + cupy.get_default_memory_pool().free_bytes(), total


def version(number):
    """Write CUDA's number of a version, 12080, as people do: 12.8."""
    return f"{number // 1000}.{number % 1000 // 10}"


def one_line(error):
    """Return what an error says in its first line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
