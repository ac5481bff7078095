/* The loops of thrifty.lenses.operators.caching.loops over one attention, for cachegrind to count.

   attention KERNEL SEQUENCES HEADS LENGTH DIM  OUTER HEAD ROW

   OUTER, HEAD, ROW: distances in numbers between sequences, heads and rows of q, k, v and o. Each kernel is one function, so that its counts
   stand apart from those of the program's start. Tensors lie one after another in one block, as thrifty lays them out. */
#include <stdlib.h>
#include <string.h>

static float memory[1 << 22] __attribute__((aligned(1 << 21)));

/* noipa: a function of its own, under its own name, that knows nothing about its callers. */
#define KERNEL __attribute__((noipa)) static void

KERNEL qk(long n, long dim, long row, const float *q, const float *k, float *s) {
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++) {
            float sum = 0;
            for (long d = 0; d < dim; d++) sum += q[i * row + d] * k[j * row + d];
            s[i * n + j] = sum;
        }
}

KERNEL scale(long n, const float *s, float *t) {
    for (long e = 0; e < n; e++) t[e] = s[e] * 0.125f;
}

KERNEL softmax(long n, const float *t, float *s) {
    float most = t[0], sum = 0;
    for (long j = 0; j < n; j++) most = t[j] > most ? t[j] : most;
    for (long j = 0; j < n; j++) {
        float x = t[j] - most; /* a short series stands in for the exponential: the library's would bring its own tables */
        float e = 1 + x * (1 + x * (0.5f + x * 0.16666667f));
        s[j] = e;
        sum += e;
    }
    for (long j = 0; j < n; j++) s[j] = s[j] / sum;
}

KERNEL pv(long n, long dim, long row, const float *p, const float *v, float *o) {
    for (long i = 0; i < n; i++) {
        for (long d = 0; d < dim; d++) o[i * row + d] = 0;
        for (long j = 0; j < n; j++) {
            float w = p[i * n + j];
            for (long d = 0; d < dim; d++) o[i * row + d] += w * v[j * row + d];
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 9) return 2;
    const char *kernel = argv[1];
    long a[7];
    for (int i = 0; i < 7; i++) a[i] = atol(argv[2 + i]);
    long sequences = a[0], heads = a[1], n = a[2], dim = a[3], outer = a[4], head = a[5], row = a[6];
    long tensor = (sequences * heads * n * dim + 127) / 128 * 128, scores = (sequences * heads * n * n + 127) / 128 * 128;
    if (8 * tensor + 2 * scores > (long)(sizeof memory / sizeof *memory)) return 3;
    int moved = outer == heads * n * dim && head == n * dim; /* a materialised copy lies behind the four originals */
    float *q = memory + (moved ? 4 : 0) * tensor, *k = q + tensor, *v = k + tensor, *o = v + tensor;
    float *s = memory + 8 * tensor, *t = s + scores;
    if (!strcmp(kernel, "scale"))
        scale(sequences * heads * n * n, s, t);
    else if (!strcmp(kernel, "softmax"))
        for (long r = 0; r < sequences * heads * n; r++) softmax(n, t + r * n, s + r * n);
    else
        for (long u = 0; u < sequences * heads; u++) {
            long at = u / heads * outer + u % heads * head;
            if (!strcmp(kernel, "qk"))
                qk(n, dim, row, q + at, k + at, s + u * n * n);
            else
                pv(n, dim, row, s + u * n * n, v + at, o + at);
        }
    return 0;
}
