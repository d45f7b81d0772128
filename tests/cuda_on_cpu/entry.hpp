// The way in, from Python: this stands behind the text of the kernel KERNEL.

extern "C" unsigned char __start_cuda_shared[] __attribute__((weak));
extern "C" unsigned char __stop_cuda_shared[] __attribute__((weak));

namespace emulator {
int run(const unsigned *grid, unsigned block, size_t shared_bytes, void **args,
        void (*function)(void **), unsigned char *static_shared, size_t static_bytes,
        char *message, int message_bytes);
}

static void emulator_call(void **args) { emulator::call(KERNEL, args); }

extern "C" void emulator_describe(char *text) { emulator::describe(KERNEL, text); }

extern "C" int emulator_run(const unsigned *grid, unsigned block, size_t shared, void **args,
                            char *message, int message_bytes) {
    return emulator::run(grid, block, shared, args, emulator_call, __start_cuda_shared,
                         __stop_cuda_shared - __start_cuda_shared, message, message_bytes);
}
