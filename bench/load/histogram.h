/* Latencies in nanoseconds, kept in buckets that grow by 1/64 of a power of two: percentiles to
 * within 1.6 %, in constant memory. */
#pragma once
#include <stdint.h>

#define SUB 64
typedef struct {
    uint64_t bucket[64 * SUB];
    uint64_t count, most;
    double sum;
} Histogram;

static inline void note(Histogram *h, uint64_t ns) {
    int shift = ns < SUB ? 0 : 63 - __builtin_clzll(ns) - 5;
    uint64_t index = (uint64_t)shift * SUB + (ns >> shift);
    h->bucket[index < 64 * SUB ? index : 64 * SUB - 1]++;
    h->count++;
    h->sum += (double)ns;
    if (ns > h->most) h->most = ns;
}

/* The upper edge of the bucket in which the share `q` (0 to 1) of all values is reached. */
static inline double quantile(const Histogram *h, double q) {
    uint64_t wanted = (uint64_t)(q * (double)h->count), sum = 0;
    for (int shift = 0; shift < 64; shift++)
        for (int sub = 0; sub < SUB; sub++) {
            sum += h->bucket[shift * SUB + sub];
            if (sum > wanted) {
                double edge = (double)(((uint64_t)sub + 1) << shift);
                return edge < (double)h->most ? edge : (double)h->most;
            }
        }
    return (double)h->most;
}
