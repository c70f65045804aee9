// The interface `sluice:render/renderer@0.1.0` for C, without a library.
//
// A component's records lie in memory as C's own structs do: this is all that the canonical ABI asks for here. An instance is asked once and
// then dropped, so nothing is ever freed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Text, or bytes of a file. Not ended by a zero.
struct text {
    const char *at;
    size_t length;
};

struct maybe_text {
    bool is_there;
    struct text text;
};

struct maybe_number {
    bool is_there;
    uint32_t number;
};

struct file {
    struct text path;
    struct text content;
};

struct document {
    struct text text;
    struct text source;
    uint8_t part; // 0 for an object like any other
};

struct problem {
    struct text code;
    struct text message;
    struct maybe_text file;
    struct maybe_number line;
    struct maybe_text hint;
    struct {
        struct text *at;
        size_t length;
    } trace;
};

struct problems {
    struct problem *at;
    size_t length;
};

struct rendering {
    struct {
        struct document *at;
        size_t length;
    } documents;
    struct maybe_text notes;
    struct {
        struct text *at;
        size_t length;
    } read, random;
    struct problems warnings;
};

enum { RENDERED = 0, NEEDS = 1, REFUSED = 2 };

struct outcome {
    uint8_t what; // RENDERED, NEEDS or REFUSED
    union {
        struct rendering rendering;
        struct problems problems;
    };
};

// What the host calls, by the names that it looks for.
#define DESCRIBE __attribute__((export_name("sluice:render/renderer@0.1.0#describe")))
#define RENDER __attribute__((export_name("sluice:render/renderer@0.1.0#render")))

extern char __heap_base;

// Returns fresh memory; an instance that asks for more than it may have ends here.
static void *fresh(size_t bytes) {
    static char *next = &__heap_base;
    char *at = (char *)(((uintptr_t)next + 7) & ~(uintptr_t)7);
    size_t have = __builtin_wasm_memory_size(0) << 16;
    if (bytes > SIZE_MAX - (uintptr_t)at) __builtin_trap();
    size_t wanted = (uintptr_t)at + bytes;
    if (wanted > have && __builtin_wasm_memory_grow(0, (wanted - have + 0xffff) >> 16) == SIZE_MAX) __builtin_trap();
    next = at + bytes;
    return at;
}

// The host asks for memory with this, for what it hands over.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t before, size_t align, size_t bytes) {
    (void)align; // nothing here is aligned to more than 8
    void *at = fresh(bytes);
    __builtin_memcpy(at, old, before < bytes ? before : bytes);
    return at;
}
