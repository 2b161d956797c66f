/* What goes over the wire: HTTP upgrade, WebSocket frames, and the few fields of a frame that
 * the generator looks at. Client frames are masked with the key 0, so that masking costs
 * nothing here; the server does all the work of unmasking. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const uint8_t *data; /* payload; NULL: the frame is not complete yet */
    size_t length;
    size_t whole; /* bytes of the frame with its header; how many are needed when incomplete */
    int opcode;
} Frame;

static inline Frame frame_at(const uint8_t *at, size_t left) {
    Frame frame = {0};
    size_t head = 2;
    frame.whole = 14;
    if (left < 2) return frame;
    frame.opcode = at[0] & 0x0f;
    frame.length = at[1] & 0x7f;
    if (frame.length == 126) head = 4;
    if (frame.length == 127) head = 10;
    if (left < head) return frame;
    if (head > 2) {
        frame.length = 0;
        for (size_t i = 2; i < head; i++) frame.length = frame.length << 8 | at[i];
    }
    frame.whole = head + frame.length;
    if (left >= frame.whole) frame.data = at + head;
    return frame;
}

static inline size_t put_frame(uint8_t *out, int opcode, const char *text, size_t length) {
    size_t at = 0;
    out[at++] = (uint8_t)(0x80 | opcode);
    if (length < 126) {
        out[at++] = (uint8_t)(0x80 | length);
    } else if (length < 65536) {
        out[at++] = 0x80 | 126;
        out[at++] = (uint8_t)(length >> 8);
        out[at++] = (uint8_t)length;
    } else {
        out[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) out[at++] = (uint8_t)(length >> shift);
    }
    memset(out + at, 0, 4);
    memcpy(out + at + 4, text, length);
    return at + 4 + length;
}

/* The value that follows `name` in the first `within` bytes, or NULL. */
static inline const char *after(const Frame *frame, const char *name, size_t within) {
    size_t length = strlen(name);
    if (within > frame->length) within = frame->length;
    const char *found = memmem(frame->data, within, name, length);
    return found ? found + length : NULL;
}

/* The same, looked for first where it was in the frame before: frames of a flood are alike, and
 * what the generator takes of the processor is not there for what it measures. */
static inline const char *after_as_before(const Frame *frame, const char *name, size_t within,
                                          size_t *before) {
    size_t length = strlen(name);
    if (*before >= length && *before <= frame->length &&
        memcmp(frame->data + *before - length, name, length) == 0)
        return (const char *)frame->data + *before;
    const char *found = after(frame, name, within);
    if (found) *before = (size_t)(found - (const char *)frame->data);
    return found;
}

static inline int starts(const Frame *frame, const char *with) {
    size_t length = strlen(with);
    return frame->length >= length && memcmp(frame->data, with, length) == 0;
}

static inline uint64_t number_at(const char **at, const char *end) {
    uint64_t value = 0;
    while (*at < end && **at >= '0' && **at <= '9') value = value * 10 + (uint64_t)(*(*at)++ - '0');
    return value;
}

#define EVENT "{\"type\":\"event\",\"event\":\"channel.message\""
#define ANSWER "{\"type\":\"res\",\"id\":\""
