import subprocess
import sys

import pytest

from minigpt.blas import NEEDED, choose_kernels

AVX512 = " ".join(sorted(NEEDED))


def chosen(tmp_path, text, environment=None):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    environment = {} if environment is None else environment
    choose_kernels(environment, cpuinfo)
    return environment.get("OPENBLAS_CORETYPE")


def cpu(vendor, flags):
    return f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu sse2 avx2 fma {flags}\n"


def test_an_amd_processor_with_512_bits_gets_the_kernels_for_them(tmp_path):
    assert chosen(tmp_path, cpu("AuthenticAMD", AVX512)) == "SkylakeX"


@pytest.mark.parametrize("flags", ["", "avx512f", AVX512.replace("avx512vl", "")])
def test_kernels_that_the_processor_cannot_run_are_never_chosen(tmp_path, flags):
    assert chosen(tmp_path, cpu("AuthenticAMD", flags)) is None


@pytest.mark.parametrize("text", ["", "processor : 0\n", cpu("GenuineIntel", AVX512)])
def test_elsewhere_openblas_chooses(tmp_path, text):
    assert chosen(tmp_path, text) is None


def test_what_the_user_has_set_stands(tmp_path):
    environment = {"OPENBLAS_CORETYPE": "Haswell"}
    assert chosen(tmp_path, cpu("AuthenticAMD", AVX512), environment) == "Haswell"


def test_no_such_file_is_no_error(tmp_path):
    environment = {}
    choose_kernels(environment, tmp_path / "none")
    assert environment == {}


def test_the_kernels_are_chosen_before_numpy_is_loaded():
    code = "import sys, minigpt; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
