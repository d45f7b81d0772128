// CUDA's words for a C++ compiler: a kernel is run on one processor, a block after the other.
//
// The threads of a block are fibers. A fiber runs until it waits: at __syncthreads for all
// threads of its block, at a shuffle for all 32 of its warp. So what a kernel may rely on on a GPU
// it may rely on here, and no more: blocks take turns at running their threads forwards and
// backwards, so that a thread that reads what another has not yet been made to write is found
// out. Waiting at different places, or after others have ended, is an error. Shared memory is
// full of NaN when a block starts.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("cuda_shared")))
#define __align__(n) __attribute__((aligned(n)))

struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct alignas(16) int4 { int x, y, z, w; };
static dim3 gridDim, blockDim, blockIdx, threadIdx;

struct bf16;  // common.cuh

namespace emulator {

const int STACK_BYTES = 96 << 10, WARP = 32;
const unsigned char POISON = 0xff;  // of these bytes every type of float makes a NaN

static void *dynamic_shared;

// ---- fibers: a stack each; switching saves what a called function must preserve ---------------

#if defined(__x86_64__)
extern "C" void emulator_switch(void **save, void *to);
asm(R"(
.text
.local emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
)");
typedef void *Context;
static void switch_to(Context &from, Context &to) { emulator_switch(&from, to); }
static void prepare(Context &context, unsigned char *stack, void (*run)()) {
    void **top = (void **)(((uintptr_t)stack + STACK_BYTES) & ~(uintptr_t)15);
    *--top = nullptr;  // where `run` would return to; it never does
    *--top = (void *)run;
    context = top - 6;
}
#else
}
#include <ucontext.h>
namespace emulator {
typedef ucontext_t Context;
static void switch_to(Context &from, Context &to) { swapcontext(&from, &to); }
static void prepare(Context &context, unsigned char *stack, void (*run)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&context, run, 0);
}
#endif

enum State { READY, AT_BLOCK, AT_WARP, DONE };

struct Copy { void *to; const void *from; int group; };

struct Fiber {
    Context context;
    State state;
    int line;             // where it waits
    unsigned exchanges;   // how many it has taken part in
    int group;            // of asynchronous copies
    std::vector<Copy> copies;
};

struct Warp {
    int waiting;
    unsigned char slots[2][WARP][64];  // what lanes show each other, by turns
};

static std::vector<Fiber> fibers;
static std::vector<Warp> warps;
static std::vector<unsigned char> stacks;
static Context scheduler;
static int current, at_block, done;
static std::string error;
static void (*kernel)(void **);
static void **arguments;

static void body() {
    kernel(arguments);
    fibers[current].state = DONE;
    done++;
    switch_to(fibers[current].context, scheduler);
}

static void fail(const char *what, int line) {
    if (!error.empty()) return;
    char text[200];
    snprintf(text, sizeof text, "block (%u, %u, %u), thread %d, line %d: %s", blockIdx.x,
             blockIdx.y, blockIdx.z, current, line, what);
    error = text;
}

// Let the others run; come back when `state` is over.
static void wait(State state, int line) {
    Fiber &me = fibers[current];
    me.state = state;
    me.line = line;
    switch_to(me.context, scheduler);
}

static void sync_block(int line) {
    if (++at_block == (int)fibers.size()) {
        at_block = 0;
        for (Fiber &fiber : fibers) {
            if (&fiber == &fibers[current]) continue;
            if (fiber.line != line) fail("threads wait at different __syncthreads()", line);
            fiber.state = READY;
        }
    } else {
        wait(AT_BLOCK, line);
    }
}

static void sync_warp(int line) {
    const int first = current / WARP * WARP;
    Warp &warp = warps[current / WARP];
    if (++warp.waiting == WARP) {
        warp.waiting = 0;
        for (int i = first; i < first + WARP; i++) {
            if (i == current) continue;
            if (fibers[i].line != line) fail("lanes wait at different instructions", line);
            fibers[i].state = READY;
        }
    } else {
        wait(AT_WARP, line);
    }
}

// Show `mine` to the warp; return what all lanes show. It holds until the exchange after the next.
template <class X> const unsigned char (*exchange(const X &mine, int line))[64] {
    static_assert(sizeof(X) <= 64, "");
    const int turn = fibers[current].exchanges++ % 2;
    Warp &warp = warps[current / WARP];
    memcpy(warp.slots[turn][current % WARP], &mine, sizeof(X));
    sync_warp(line);
    return warp.slots[turn];
}

template <class X> X shown(const unsigned char (*slots)[64], int lane) {
    X x;
    memcpy(&x, slots[lane], sizeof(X));
    return x;
}

static void run_block(bool backwards) {
    const int n = fibers.size();
    at_block = done = 0;
    for (Warp &warp : warps) warp.waiting = 0;
    for (int i = 0; i < n; i++) {
        fibers[i].state = READY;
        fibers[i].exchanges = fibers[i].group = 0;
        fibers[i].copies.clear();
        prepare(fibers[i].context, &stacks[(size_t)i * STACK_BYTES], body);
    }
    while (done < n && error.empty()) {
        bool progress = false;
        for (int turn = 0; turn < n && error.empty(); turn++) {
            current = backwards ? n - 1 - turn : turn;
            if (fibers[current].state != READY) continue;
            progress = true;
            threadIdx.x = current;
            switch_to(scheduler, fibers[current].context);
        }
        for (current = 0; !progress && current < n && error.empty(); current++) {
            if (fibers[current].state != DONE) {
                fail("waits for threads that wait elsewhere or have ended", fibers[current].line);
            }
        }
    }
}

}  // namespace emulator

extern "C" unsigned char __start_cuda_shared[] __attribute__((weak));
extern "C" unsigned char __stop_cuda_shared[] __attribute__((weak));

namespace emulator {

static int run(const unsigned *grid, unsigned block, size_t shared_bytes, void **args,
               void (*function)(void **), char *message, int message_bytes) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block, 1, 1};
    threadIdx = {0, 0, 0};
    error.clear();
    fibers.resize(block);
    warps.resize((block + WARP - 1) / WARP);
    if (stacks.size() < (size_t)block * STACK_BYTES) stacks.resize((size_t)block * STACK_BYTES);
    const int ZONE = 256;
    std::vector<int4> memory((shared_bytes + 2 * ZONE + 15) / 16);
    unsigned char *bytes = (unsigned char *)memory.data();
    dynamic_shared = bytes + ZONE;
    kernel = function;
    arguments = args;
    unsigned n = 0;
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid[0] && error.empty(); blockIdx.x++, n++) {
                memset(bytes, POISON, memory.size() * 16);
                if (__start_cuda_shared)
                    memset(__start_cuda_shared, POISON, __stop_cuda_shared - __start_cuda_shared);
                run_block(n % 2);
                for (int i = 0; i < ZONE; i++)
                    if (bytes[i] != POISON || bytes[ZONE + shared_bytes + i] != POISON)
                        fail("wrote beyond its shared memory", 0);
            }
    snprintf(message, message_bytes, "%s", error.c_str());
    return !error.empty();
}

// ---- a kernel's parameters: unpacked from pointers, and described by a letter each -------------

template <class X> struct Letter;  // as NumPy's dtype.char
template <> struct Letter<float> { static const char value = 'f'; };
template <> struct Letter<double> { static const char value = 'd'; };
template <> struct Letter<int> { static const char value = 'i'; };
template <> struct Letter<long long> { static const char value = 'q'; };
template <> struct Letter<::bf16> { static const char value = 'E'; };

template <class X> struct Signature {
    static std::string text() { return {Letter<X>::value}; }
};
template <class X> struct Signature<X *> {
    static std::string text() {
        return {'*', Letter<typename std::remove_const<X>::type>::value};
    }
};

template <class... P> std::string signature(void (*)(P...)) {
    std::string text;
    ((text += Signature<P>::text() + " "), ...);
    return text;
}

template <class... P, size_t... I>
void call(void (*f)(P...), void **args, std::index_sequence<I...>) {
    f(*(P *)args[I]...);
}
template <class... P> void call(void (*f)(P...), void **args) {
    call(f, args, std::index_sequence_for<P...>());
}

}  // namespace emulator

// ---- CUDA's functions ---------------------------------------------------------------------------

inline void __syncthreads(int line = __builtin_LINE()) { emulator::sync_block(line); }
inline void __syncwarp(unsigned = ~0u, int line = __builtin_LINE()) { emulator::sync_warp(line); }

template <class X>
X __shfl_xor_sync(unsigned, X x, int apart, int = 32, int line = __builtin_LINE()) {
    return emulator::shown<X>(emulator::exchange(x, line), (threadIdx.x % 32) ^ apart);
}
template <class X> X __shfl_sync(unsigned, X x, int lane, int = 32, int line = __builtin_LINE()) {
    return emulator::shown<X>(emulator::exchange(x, line), lane);
}

inline unsigned __ballot_sync(unsigned, bool x, int line = __builtin_LINE()) {
    const auto slots = emulator::exchange(x, line);
    unsigned bits = 0;
    for (int i = 0; i < 32; i++) bits |= (unsigned)emulator::shown<bool>(slots, i) << i;
    return bits;
}
inline bool __syncthreads_or(bool x, int line = __builtin_LINE()) {
    static bool any;
    if (emulator::at_block == 0) any = false;  // the first to come
    any |= x;
    emulator::sync_block(line);
    const bool result = any;
    emulator::sync_block(line);  // before another one begins
    return result;
}
inline int __ffs(int x) { return __builtin_ffs(x); }

template <class X> X atomicAdd(X *to, X x) {
    const X before = *to;
    *to += x;
    return before;
}

template <class To, class From> To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}
inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
inline float __int_as_float(int x) { return same_bits<float>(x); }

using std::exp;
using std::log;
using std::sqrt;
using std::tanh;
template <class X> X max(X a, X b) { return a > b ? a : b; }
template <class X> X min(X a, X b) { return a < b ? a : b; }
