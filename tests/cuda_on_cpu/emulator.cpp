// Runs a kernel on one processor, a block after the other.
//
// The threads of a block are fibers. A fiber runs until it waits: at __syncthreads for all
// threads of its block, at a shuffle for all 32 of its warp. So what a kernel may rely on on a GPU
// it may rely on here, and no more: blocks take turns at running their threads forwards and
// backwards, so that a thread that reads what another has not yet been made to write is found
// out. Waiting at different places, or after others have ended, is an error. Shared memory is
// full of NaN when a block starts.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "emulator.hpp"
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace emulator {

const int STACK_BYTES = 96 << 10, WARP = 32, ZONE = 256;
const unsigned char POISON = 0xff;  // of these bytes every type of float makes a NaN

void *dynamic_shared;

// ---- fibers: a stack each; switching saves what a called function must preserve ----------------

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
    int line;            // where it waits
    unsigned exchanges;  // how many it has taken part in
    int group;           // of asynchronous copies
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
static bool any;
static std::string error;
static void (*kernel)(void **);
static void **arguments;

static void body() {
    kernel(arguments);
    fibers[current].state = DONE;
    done++;
    switch_to(fibers[current].context, scheduler);
}

void fail(const char *what, int line) {
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

// Have fibers first .. end - 1 go on, that wait for this one.
static void release(int first, int end, int line) {
    for (int i = first; i < end; i++) {
        if (i == current) continue;
        if (fibers[i].line != line) fail("others wait at another line", line);
        fibers[i].state = READY;
    }
}

void sync_block(int line) {
    if (++at_block < (int)fibers.size()) return wait(AT_BLOCK, line);
    at_block = 0;
    release(0, fibers.size(), line);
}

void sync_warp(int line) {
    Warp &warp = warps[current / WARP];
    if (++warp.waiting < WARP) return wait(AT_WARP, line);
    warp.waiting = 0;
    release(current / WARP * WARP, (current / WARP + 1) * WARP, line);
}

bool any_of_block(bool x, int line) {
    if (at_block == 0) any = false;  // the first to come
    any |= x;
    sync_block(line);
    const bool result = any;
    sync_block(line);  // before another vote begins
    return result;
}

// What is shown holds until the exchange after the next.
Slots exchange(const void *mine, int bytes, int line) {
    const int turn = fibers[current].exchanges++ % 2;
    Warp &warp = warps[current / WARP];
    memcpy(warp.slots[turn][current % WARP], mine, bytes);
    sync_warp(line);
    return warp.slots[turn];
}

// A copy is made when it is waited for; until then NaN stands there.
void copy_async(void *to, const void *from) {
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16) {
        fail("copies from or to an address that is no multiple of 16", 0);
    }
    memset(to, POISON, 16);
    fibers[current].copies.push_back({to, from, fibers[current].group});
}

void commit_copies() { fibers[current].group++; }

void wait_for_copies(int unfinished_groups) {
    Fiber &me = fibers[current];
    std::vector<Copy> later;
    for (const Copy &copy : me.copies) {
        if (copy.group >= me.group - unfinished_groups) {
            later.push_back(copy);
        } else if (copy.from) {
            memcpy(copy.to, copy.from, 16);
        } else {
            memset(copy.to, 0, 16);
        }
    }
    me.copies = later;
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

int run(const unsigned *grid, unsigned block, size_t shared_bytes, void **args,
        void (*function)(void **), unsigned char *static_shared, size_t static_bytes,
        char *message, int message_bytes) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block, 1, 1};
    threadIdx = {0, 0, 0};
    error.clear();
    fibers.resize(block);
    warps.resize(block / WARP);
    if (stacks.size() < (size_t)block * STACK_BYTES) stacks.resize((size_t)block * STACK_BYTES);
    std::vector<int4> memory((shared_bytes + 2 * ZONE + 15) / 16);
    unsigned char *bytes = (unsigned char *)memory.data();
    dynamic_shared = bytes + ZONE;
    kernel = function;
    arguments = args;
    const size_t blocks = (size_t)grid[0] * grid[1] * grid[2];
    for (size_t n = 0; n < blocks && error.empty(); n++) {
        blockIdx.x = n % grid[0];
        blockIdx.y = n / grid[0] % grid[1];
        blockIdx.z = n / grid[0] / grid[1];
        memset(bytes, POISON, memory.size() * 16);
        if (static_bytes) memset(static_shared, POISON, static_bytes);
        run_block(n % 2);
        for (int i = 0; i < ZONE; i++) {
            if (bytes[i] != POISON || bytes[ZONE + shared_bytes + i] != POISON) {
                fail("wrote beyond its shared memory", 0);
            }
        }
    }
    snprintf(message, message_bytes, "%s", error.c_str());
    return !error.empty();
}

}  // namespace emulator
